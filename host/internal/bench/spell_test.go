package bench

import (
	"slices"
	"sync"
	"time"
)

// spell is one turn of one contender: so many calls, so many at a time.
type spell struct {
	took   time.Duration
	each   []time.Duration
	failed int
	err    error // the first
}

// load makes the calls and notes how long each took. do is told who calls and the how-manieth call it is.
func load(calls, atOnce int, do func(worker, i int) error) spell {
	s := spell{each: make([]time.Duration, calls)}
	errs := make([]error, calls)
	var wait sync.WaitGroup
	began := time.Now()
	for w := range atOnce {
		wait.Go(func() {
			for i := w; i < calls; i += atOnce {
				start := time.Now()
				errs[i] = do(w, i)
				s.each[i] = time.Since(start)
			}
		})
	}
	wait.Wait()
	s.took = time.Since(began)
	for _, err := range errs {
		if err != nil {
			s.failed++
			s.err = err
		}
	}
	return s
}

// rate is calls per second.
func (s spell) rate() float64 { return float64(len(s.each)) / s.took.Seconds() }

// p50 is the median call in seconds.
func (s spell) p50() float64 { return quantile(s.each, 0.5).Seconds() }

// contender is one who takes turns.
type contender struct {
	turn   func() spell
	spells []spell
}

// contend has all take turns, another one first each time: what the machine does meanwhile befalls all.
func contend(rounds int, all ...*contender) {
	for _, c := range all {
		c.turn() // to be warm
	}
	for round := range rounds {
		for i := range all {
			c := all[(round+i)%len(all)]
			c.spells = append(c.spells, c.turn())
		}
	}
}

// all is every call of all turns.
func (c *contender) all() (each []time.Duration) {
	for _, s := range c.spells {
		each = append(each, s.each...)
	}
	return each
}

func (c *contender) failed() (n int, err error) {
	for _, s := range c.spells {
		if n += s.failed; s.err != nil {
			err = s.err
		}
	}
	return n, err
}

// of is the median turn by measure.
func (c *contender) of(measure func(spell) float64) float64 {
	var list []float64
	for _, s := range c.spells {
		list = append(list, measure(s))
	}
	return median(list)
}

// to is the median of ours by theirs, turn by turn.
func (c *contender) to(theirs *contender, measure func(spell) float64) float64 {
	var list []float64
	for i, s := range c.spells {
		list = append(list, measure(s)/measure(theirs.spells[i]))
	}
	return median(list)
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[int(float64(len(list)-1)*q)]
}
