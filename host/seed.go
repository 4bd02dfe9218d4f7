package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
)

type seedCommand struct {
	dataFlags
	Contacts  int  `help:"Contacts to add." default:"0" placeholder:"N"`
	Staff     int  `help:"Staff members to add." default:"0" placeholder:"N"`
	Customers int  `help:"Customers to add; by default one for each five contacts." default:"0" placeholder:"N"`
	Yes       bool `help:"Add them even where there are people already."`
}

// Run adds invented people.
func (c *seedCommand) Run(ctx context.Context, t *terminal) error {
	wish := app.SeedWish{Customers: c.Customers, Contacts: c.Contacts, Staff: c.Staff, Among: c.Yes}
	if wish.Customers == 0 && wish.Contacts > 0 {
		wish.Customers = max(1, wish.Contacts/5)
	}
	return c.with(ctx, func(s *site) error {
		if err := s.store.ExpectMany(ctx); err != nil {
			return err
		}
		began := time.Now()
		bar := progressBar{out: t.errs, drawn: isTerminal(t.errs), began: began}
		if err := s.app.Seed(ctx, wish, bar.show); err != nil {
			return err
		}
		bar.end()
		t.printf("Added %d customers, %d contacts and %d staff members in %s. None has a password: understudy admin set-password EMAIL gives one.\n",
			wish.Customers, wish.Contacts, wish.Staff, time.Since(began).Round(100*time.Millisecond))
		return nil
	})
}

// progressBar says how far something is: a bar that moves on a terminal, a line for each tenth
// anywhere else.
type progressBar struct {
	out   io.Writer
	drawn bool
	began time.Time
	tenth int
	any   bool
}

// show says that done of total are done.
func (b *progressBar) show(done, total int) {
	if total <= 0 {
		return
	}
	t := terminal{out: b.out}
	b.any = true
	if !b.drawn {
		if tenth := done * 10 / total; tenth > b.tenth {
			b.tenth = tenth
			t.printf("%d of %d\n", done, total)
		}
		return
	}
	const width = 40
	full := done * width / total
	left := time.Since(b.began) * time.Duration(total-done) / time.Duration(max(done, 1))
	t.printf("\r[%s%s] %3d %%  %d of %d, %s left \x1b[K", strings.Repeat("#", full), strings.Repeat(".", width-full), done*100/total, done, total, left.Round(time.Second))
}

// end leaves the line of the bar.
func (b *progressBar) end() {
	if b.drawn && b.any {
		t := terminal{out: b.out}
		t.printf("\n")
	}
}

// isTerminal tells whether somebody looks at what is written there.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
