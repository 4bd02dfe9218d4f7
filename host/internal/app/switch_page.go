package app

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// How many pages seen while switched are kept, and wait to be written.
const (
	MaxSwitchPages = 2000  // of one switch
	maxNotedPages  = 10000 // of all, in memory
)

// samePageWithin is how long a page that is asked for again and again, as a list is while somebody
// types, counts as seen once.
const samePageWithin = time.Minute

// NotePage remembers that who was shown a page while switched; of others it remembers nothing. It
// writes nothing: FlushPages does, and the end of the switch. Path must hold no secret.
func (a *App) NotePage(who crm.Who, path, title string, status int) {
	if who.Session.SwitchID != 0 {
		a.pages.note(who.Session.SwitchID, crm.SeenPage{At: a.Now(), Method: "GET", Path: crm.Cut(path, 200), Title: crm.Cut(title, 200), Status: status})
	}
}

// FlushPages writes the pages seen since it was last called. Call it every second, and before the
// program ends. What can't be written is kept for the next time.
func (a *App) FlushPages(ctx context.Context) error {
	if a.pages.idle(a.Now()) {
		return nil
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		taken := a.pages.take()
		for id, seen := range taken {
			tx.Then(a.pages.giveBack(id, seen))
		}
		for _, id := range slices.Sorted(maps.Keys(taken)) { // the same order on every replica: none waits for another in a circle
			seen := taken[id]
			if err := tx.KeepSwitchPages(ctx, id, seen.pages, seen.dropped, seen.droppedAt, MaxSwitchPages); err != nil {
				return err
			}
		}
		return nil
	})
}

// keepPages writes the pages of a switch in the transaction that ends it.
func (a *App) keepPages(ctx context.Context, tx store.Tx, switchID int64) error {
	seen, any := a.pages.takeOf(switchID)
	if !any {
		return nil
	}
	tx.Then(a.pages.giveBack(switchID, seen))
	return tx.KeepSwitchPages(ctx, switchID, seen.pages, seen.dropped, seen.droppedAt, MaxSwitchPages)
}

// notedPages are the pages that wait to be written, by switch.
type notedPages struct {
	mu       sync.Mutex
	bySwitch map[int64]*seenPages
	waiting  int
}

// seenPages are those of one switch.
type seenPages struct {
	pages     []crm.SeenPage
	dropped   int64 // that found no room
	droppedAt time.Time
	last      crm.SeenPage
}

func (n *notedPages) note(id int64, p crm.SeenPage) {
	n.mu.Lock()
	defer n.mu.Unlock()
	seen := n.of(id)
	again := p
	again.At = seen.last.At
	same := again == seen.last && p.At.Sub(seen.last.At) < samePageWithin
	seen.last = p
	switch {
	case same:
	case n.waiting >= maxNotedPages || len(seen.pages) >= MaxSwitchPages:
		seen.dropped++
		seen.droppedAt = p.At
	default:
		seen.pages = append(seen.pages, p)
		n.waiting++
	}
}

func (n *notedPages) of(id int64) *seenPages {
	if n.bySwitch == nil {
		n.bySwitch = map[int64]*seenPages{}
	}
	if n.bySwitch[id] == nil {
		n.bySwitch[id] = &seenPages{}
	}
	return n.bySwitch[id]
}

// idle tells whether nothing waits, and forgets the switches whose last page is long past.
func (n *notedPages) idle(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	idle := true
	for id, seen := range n.bySwitch {
		switch {
		case len(seen.pages) > 0 || seen.dropped > 0:
			idle = false
		case now.Sub(seen.last.At) >= samePageWithin:
			delete(n.bySwitch, id)
		}
	}
	return idle
}

func (n *notedPages) take() map[int64]seenPages {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := map[int64]seenPages{}
	for id := range n.bySwitch {
		if seen, any := n.cut(id); any {
			taken[id] = seen
		}
	}
	return taken
}

func (n *notedPages) takeOf(id int64) (seenPages, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut(id)
}

// cut takes what waits, and leaves which page was the last.
func (n *notedPages) cut(id int64) (taken seenPages, any bool) {
	seen := n.bySwitch[id]
	if seen == nil || len(seen.pages) == 0 && seen.dropped == 0 {
		return seenPages{}, false
	}
	taken = *seen
	n.bySwitch[id] = &seenPages{last: seen.last}
	n.waiting -= len(taken.pages)
	return taken, true
}

// giveBack is what to do when the transaction that took these pages has ended.
func (n *notedPages) giveBack(id int64, taken seenPages) func(bool) {
	return func(kept bool) {
		if kept {
			return
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		seen := n.of(id)
		room := max(0, min(MaxSwitchPages-len(seen.pages), maxNotedPages-n.waiting))
		back := taken.pages[:min(len(taken.pages), room)]
		seen.pages = append(back[:len(back):len(back)], seen.pages...)
		n.waiting += len(back)
		if lost := len(taken.pages) - len(back); lost > 0 {
			seen.dropped, seen.droppedAt = seen.dropped+int64(lost), taken.pages[len(taken.pages)-1].At
		}
		seen.dropped += taken.dropped
		if taken.droppedAt.After(seen.droppedAt) {
			seen.droppedAt = taken.droppedAt
		}
	}
}

// sweepPages forgets what was seen as long ago as the Activity Log forgets what was done.
func (a *App) sweepPages(ctx context.Context, tx store.Tx, now time.Time) error {
	days, err := a.auditDays(ctx)
	if err != nil || days <= 0 {
		return err
	}
	return tx.DropSwitchPages(ctx, now.AddDate(0, 0, -days))
}
