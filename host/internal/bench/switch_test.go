package bench

import (
	"fmt"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// switches measures start and stop over HTTP with the module we ship: form token, hook, new secret and
// audit entry, all there is.
func (b *run) switches(t *testing.B) {
	rounds := b.rounds(16)
	s := section{Title: "Session switches over HTTP, with the shipped module"}
	type engine struct {
		name, synchronous, database string
	}
	engines := []engine{{"SQLite NORMAL", "NORMAL", ""}, {"SQLite FULL", "FULL", ""}}
	if url, why := postgres(t); why == "" {
		engines = append(engines, engine{"PostgreSQL", "", url})
	} else {
		s.Notes = append(s.Notes, "PostgreSQL: "+why)
	}
	peers := map[string]*peer{}
	for _, synchronous := range []string{"NORMAL", "FULL"} {
		p, err := b.peer(t, synchronous)
		if err != nil {
			s.Notes = append(s.Notes, "better-auth: "+err.Error())
			break
		}
		peers[synchronous] = p
	}
	running := map[string]*site{}
	for _, e := range engines {
		running[e.name] = plan{synchronous: e.synchronous, database: e.database, packages: [][]byte{shipped(t)}}.start(t)
	}
	for _, atOnce := range []int{1, 8} {
		b.progress("switches, %d at once", atOnce)
		n := crowd
		if atOnce == 1 {
			n = crowd / 4
		}
		var all []*contender
		starts, stops := map[string]*contender{}, map[string]*contender{}
		for _, e := range engines {
			start, stop := switching(t, running[e.name], n, atOnce)
			starts[e.name], stops[e.name] = start, stop
			all = append(all, start)
		}
		for name, p := range peers {
			start, stop := p.switching(t, n, atOnce)
			starts["peer "+name], stops["peer "+name] = start, stop
			all = append(all, start)
		}
		contend(rounds, all...)
		s.Rows = append(s.Rows, b.switchRows(t, atOnce, "SQLite NORMAL", starts, stops, "peer NORMAL", 8, 3.5)...)
		s.Rows = append(s.Rows, b.switchRows(t, atOnce, "SQLite FULL", starts, stops, "peer FULL", 4, 1.8)...)
		if starts["PostgreSQL"] != nil {
			s.Rows = append(s.Rows, b.switchRows(t, atOnce, "PostgreSQL", starts, stops, "", 0, 0)...)
		}
	}
	b.add(s)
}

// switchRows are the rows of one engine. Eight at once have targets.
func (b *run) switchRows(t *testing.B, atOnce int, name string, starts, stops map[string]*contender, against string, ofPeer, ofSymfony float64) []row {
	t.Helper()
	start, stop, theirs := starts[name], stops[name], starts[against]
	what := fmt.Sprintf("%s, %d at once", name, atOnce)
	figures := func(c *contender) string {
		return fmt.Sprintf("%s, p50 %s, p99 %s", perSecond(c.of(spell.rate)), duration(quantile(c.all(), 0.5)), duration(quantile(c.all(), 0.99)))
	}
	failures, err := start.failed()
	more, err2 := stop.failed()
	failures += more
	if failures > 0 {
		t.Errorf("%s: %d switches failed: %v %v", what, failures, err, err2)
	}
	switch {
	case theirs == nil:
		return []row{told("start, "+what, figures(start), ""), told("  stop", figures(stop), "")}
	case atOnce == 1:
		return []row{
			{"start, " + what, figures(start), figures(theirs), fmt.Sprintf("%.2f", start.to(theirs, spell.rate)), "", ""},
			{"  stop", figures(stop), figures(stops[against]), fmt.Sprintf("%.2f", stop.to(stops[against], spell.rate)), "", ""},
		}
	}
	ratio := start.to(theirs, spell.rate)
	p99, theirP99 := quantile(start.all(), 0.99), quantile(theirs.all(), 0.99)
	return []row{
		compared("start, "+what, figures(start), figures(theirs), ratio, atLeast(ofPeer)),
		recorded("  against Symfony", perSecond(start.of(spell.rate)), ratio*peerSwitch/symfonySwitch, ofSymfony),
		compared("  p99, for Symfony's is not recorded against better-auth", duration(p99), duration(theirP99), float64(p99)/float64(theirP99), atMost(0.5)),
		{"  errors", fmt.Sprint(failures), "", "", "0", map[bool]string{true: "yes", false: "no"}[failures == 0]},
		{"  stop", figures(stop), figures(stops[against]), fmt.Sprintf("%.2f", stop.to(stops[against], spell.rate)), "", ""},
	}
}

// switching is a contender that starts n switches, and one that has stopped them: its turn is part of
// the first's, so that each starts from where it was.
func switching(t *testing.B, s *site, n, atOnce int) (start, stop *contender) {
	t.Helper()
	open := connections(t, s.origin, atOnce)
	stop = &contender{}
	start = &contender{turn: func() spell {
		list := open()
		began := load(n, atOnce, func(worker, i int) error { return s.admins[i].start(list[worker]) })
		stop.spells = append(stop.spells, load(n, atOnce, func(worker, i int) error { return s.admins[i].stop(list[worker]) }))
		return began
	}}
	return start, stop
}

func (p *peer) switching(t *testing.B, n, atOnce int) (start, stop *contender) {
	t.Helper()
	open := connections(t, p.Origin, atOnce)
	stop = &contender{}
	start = &contender{turn: func() spell {
		list := open()
		began := p.start(list, n, atOnce)
		stop.spells = append(stop.spells, p.stop(list, n, atOnce))
		return began
	}}
	return start, stop
}

// postgres is a fresh database, or why there is none.
func postgres(t *testing.B) (url, why string) {
	t.Helper()
	t.Run("postgres", func(inner *testing.B) {
		inner.Cleanup(func() {
			if inner.Skipped() {
				why = "it is not installed here"
			}
		})
		hosttest.PostgresURL(inner)
	})
	if why != "" {
		return "", why
	}
	return hosttest.PostgresURL(t), ""
}
