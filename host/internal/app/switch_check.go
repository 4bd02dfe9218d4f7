package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// SwitchPinger is a SwitchPolicy that can be asked whether it would answer, without a decision.
type SwitchPinger interface {
	// PingSwitch is nil when every module that decides answers in its time.
	PingSwitch(ctx context.Context) error
}

// SetWayBack says how to look whether a browser would reach the way back. Call it before the first
// request.
func (a *App) SetWayBack(check func(context.Context) error) { a.wayBack = check }

// CheckSwitching looks whether switching works: the way back ("restore"), the clock, the record's
// latest entries, the hook, and that every open switch has its session and the other way round
// ("pairs"). It changes nothing.
func (a *App) CheckSwitching(ctx context.Context) []crm.Check {
	var checks []crm.Check
	for _, c := range []struct {
		name string
		look func(context.Context) error
	}{{"restore", a.checkWayBack}, {"clock", a.checkClock}, {"record", a.checkRecord}, {"hook", a.checkHook}, {"pairs", a.checkPairs}} {
		check := crm.Check{Name: c.name, OK: true}
		if err := c.look(ctx); err != nil {
			check.OK, check.Detail = false, err.Error()
		}
		checks = append(checks, check)
	}
	return checks
}

func (a *App) checkWayBack(ctx context.Context) error {
	if a.wayBack == nil {
		return errors.New("this process serves no pages")
	}
	return a.wayBack(ctx)
}

// checkHook asks the modules that decide for a sign of life, not for a decision: nobody's, not even
// a pretended one, shall be counted among the real ones.
func (a *App) checkHook(ctx context.Context) error {
	pinger, can := a.policy.(SwitchPinger)
	if !can {
		return errors.New("nobody decides about switches")
	}
	return pinger.PingSwitch(ctx)
}

// checkPairs finds what Sweep would close, and sessions under a switch there is no record of.
func (a *App) checkPairs(ctx context.Context) error {
	read := a.store.Read()
	lost, err := read.LostSwitches(ctx)
	if err != nil {
		return err
	}
	dangling, err := read.DanglingSessions(ctx)
	if err != nil {
		return err
	}
	if len(lost) > 0 || dangling > 0 {
		return fmt.Errorf("%d open switches have no session, %d sessions are under a switch that has no record; the first are closed within a minute, the others are their actors' with the next request", len(lost), dangling)
	}
	return nil
}

// recordTail is how many of a chain's latest entries are looked at. CheckAudit looks at all.
const recordTail = 200

func (a *App) checkRecord(ctx context.Context) error {
	read := a.store.Read()
	heads, err := read.AuditHeads(ctx)
	if err != nil {
		return err
	}
	for _, head := range heads {
		if head.Chain == "" {
			continue
		}
		if head, err = tailOf(ctx, read, head); err != nil {
			return err
		}
		chain, err := checkChain(ctx, read, head, nil)
		if err != nil {
			return err
		}
		if f := chain.Fault; f != nil {
			return fmt.Errorf("chain %s: the entry at %d was %s; check the record in the Activity Log", f.Chain, f.Seq, f.Kind)
		}
	}
	return nil
}

// tailOf is a chain as if it began shortly before its end.
func tailOf(ctx context.Context, read store.Tx, head store.AuditHead) (store.AuditHead, error) {
	first := head.Seq - recordTail
	if first <= head.FromSeq {
		return head, nil
	}
	before, err := read.SealedEntries(ctx, head.Chain, first-1, 1)
	if err != nil {
		return head, err
	}
	if len(before) == 0 || before[0].Seq != first {
		return head, fmt.Errorf("chain %s: the entry at %d was %s; check the record in the Activity Log", head.Chain, first, AuditRemoved)
	}
	head.FromSeq, head.FromSeal = first, before[0].Seal
	return head, nil
}

// How far clocks may be apart, and how long after a jump it is told: as long as a switch can last
// that it made too short or too long.
const (
	clockApart = 5 * time.Second
	clockTold  = MaxSwitch
)

func (a *App) checkClock(ctx context.Context) error {
	if err := a.clock.look(a.clock.read()); err != nil {
		return err
	}
	there, known, err := a.store.Read().DatabaseTime(ctx)
	if err != nil || !known {
		return err
	}
	if apart := there.Sub(a.Now()).Abs(); apart > clockApart {
		return fmt.Errorf("the database's clock is %s apart from this machine's", apart.Round(time.Second))
	}
	return nil
}

// clockReading is one moment by two clocks: the one that tells the time and can be set, and the one
// that only counts on.
type clockReading struct {
	wall    time.Time
	counted time.Duration
}

// clockWatch notices when the time of the machine is set, or the machine slept.
type clockWatch struct {
	began  time.Time
	mu     sync.Mutex
	last   clockReading
	jump   time.Duration
	jumped clockReading
}

func (c *clockWatch) start() {
	c.began = time.Now()
	c.last = c.read()
}

func (c *clockWatch) read() clockReading {
	now := time.Now()
	return clockReading{now.Round(0), now.Sub(c.began)}
}

// look compares with the last time; Sweep calls it, too, so that slow drift isn't taken for a jump.
func (c *clockWatch) look(now clockReading) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if jump := now.wall.Sub(c.last.wall) - (now.counted - c.last.counted); jump.Abs() > clockApart {
		c.jump, c.jumped = jump, now
	}
	c.last = now
	if c.jump == 0 || now.counted-c.jumped.counted > clockTold {
		return nil
	}
	return fmt.Errorf("the clock jumped by %s, noticed at %s: times of switches from before are off by that", c.jump.Round(time.Second), c.jumped.wall.UTC().Format(time.RFC3339))
}
