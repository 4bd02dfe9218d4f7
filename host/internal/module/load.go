package module

import (
	"log/slog"
	"time"
)

// A process that keeps a good part of a processor busy for a while yields to everything else from
// then on, and gets what nobody wants. Two seconds of it are a slow page; more is a hog, and core
// pages must not wait for it. All modules yield to the host a little from their start: enough for
// the host to go first, not so much that their answers wait for the machine to be idle.
const (
	hogShare   = 0.4 // of one processor
	hogPeriods = 2   // of timing.load, one after the other
)

// load is what the Manager's loop, and nothing else, remembers of a process.
type load struct {
	spent  time.Duration
	at     time.Time
	hot    int
	yields bool
}

// curb has a process yield for the rest of its life when it has been busy for too long. It tells
// whether that was now.
func (l *load) curb(now time.Time, spent time.Duration, yield func() error) bool {
	passed, used := now.Sub(l.at), spent-l.spent
	first := l.at.IsZero()
	l.at, l.spent = now, spent
	if first || passed <= 0 || l.yields {
		return false
	}
	if used < time.Duration(hogShare*float64(passed)) {
		l.hot = 0
		return false
	}
	if l.hot++; l.hot < hogPeriods {
		return false
	}
	l.yields = yield() == nil
	return l.yields
}

// curbHogs looks at what each module's process has used of the processors.
func (m *Manager) curbHogs() {
	for _, r := range m.runningModules() {
		spent, err := r.process.child.spent()
		if err == nil && r.load.curb(time.Now(), spent, r.process.child.yield) {
			r.log.say(slog.LevelWarn, "it has kept a processor busy for seconds; everything else goes first from now on")
		}
	}
}

// runningModules are the processes there are now.
func (m *Manager) runningModules() []*running {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*running
	for _, u := range m.units {
		if r := u.current.Load(); r != nil {
			list = append(list, r)
		}
	}
	return list
}
