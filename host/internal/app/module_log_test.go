package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// lines are numbered from a number on.
func lines(s *hosttest.Site, from, count int) []crm.ModuleLogLine {
	list := make([]crm.ModuleLogLine, count)
	for i := range list {
		list[i] = crm.ModuleLogLine{At: s.Clock.Now(), Level: "info", Text: fmt.Sprint("line ", from+i), RequestID: fmt.Sprint("r", (from+i)%2)}
	}
	return list
}

func logOf(t *testing.T, a *app.App, id string, q crm.Query) string {
	t.Helper()
	var said []string
	must(t, a.ReadModuleLog(t.Context(), crm.Operator(), id, q, func(l crm.ModuleLogLine) error {
		said = append(said, strings.TrimPrefix(l.Text, "line "))
		return nil
	}))
	return strings.Join(said, " ")
}

// go-plugin #114: logs that were lost. These are in the database, and still bounded.
func TestAModulesLogIsKeptWithinBounds(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx := t.Context()
		a := app.New(app.Options{Store: s.Store, Now: s.Clock.Now, LogKept: app.LogKept{Lines: 100, Days: 2}})
		count := func(id string) int64 {
			b, err := a.ModuleBelongings(ctx, id)
			must(t, err)
			return b.LogLines
		}
		for _, id := range []string{"other", "flood"} {
			must(t, a.InstallModule(ctx, crm.Operator(), crm.Module{ID: id, Version: "1.0.0", Manifest: []byte("{}"), SHA256: id}, []byte(id), crm.ModuleTrial{}, ""))
		}
		must(t, a.AppendModuleLog(ctx, "other", lines(s, 0, 3)))
		must(t, s.App.AppendModuleLog(ctx, "flood", lines(s, 0, 250))) // a command: what it drops is the server's to say
		if n := count("flood"); n != 250 {
			t.Errorf("a command kept %d lines", n)
		}
		for i := range 40 {
			must(t, a.AppendModuleLog(ctx, "flood", lines(s, 250+7*i, 7)))
			if n := count("flood"); n > 110 {
				t.Fatalf("%d lines after %d writes", n, i+1)
			}
		}
		must(t, a.Sweep(ctx))
		if n := count("flood"); n != 100 {
			t.Errorf("%d lines after the sweep", n)
		}
		if newest := logOf(t, a, "flood", crm.Query{}); !strings.HasPrefix(newest, "430 ") || !strings.HasSuffix(newest, " 529") {
			t.Errorf("kept %.20s…", newest)
		}
		s.Clock.Advance(36 * time.Hour)
		must(t, a.AppendModuleLog(ctx, "flood", lines(s, 600, 1)))
		must(t, a.Sweep(ctx))
		if n := count("flood"); n != 100 || count("other") != 3 {
			t.Errorf("after a day and a half: %d", n)
		}
		s.Clock.Advance(24 * time.Hour)
		must(t, a.Sweep(ctx))
		if rest := logOf(t, a, "flood", crm.Query{}); rest != "600" || count("other") != 0 {
			t.Errorf("after two days and a half: %q", rest)
		}
	})
}

func TestAModulesLogIsNarrowedAndReadOnward(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), crm.Operator()
		must(t, s.App.InstallModule(ctx, who, crm.Module{ID: "sample", Version: "1.0.0", Manifest: []byte("{}"), SHA256: "aa"}, []byte("zip"), crm.ModuleTrial{}, ""))
		must(t, s.App.AppendModuleLog(ctx, "sample", lines(s, 0, 1200)))
		s.Clock.Advance(24 * time.Hour)
		must(t, s.App.AppendModuleLog(ctx, "sample", []crm.ModuleLogLine{{At: s.Clock.Now(), Level: "error", Text: "100% Öl_"}}))
		all := strings.Fields(logOf(t, s.App, "sample", crm.Query{}))
		if len(all) != 1202 || all[0] != "0" || all[1199] != "1199" {
			t.Errorf("%d words: %v … %v", len(all), all[0], all[len(all)-1])
		}
		for filter, want := range map[string]int{"request=r1": 600, "level=warn": 1, "from=2026-11-23": 1, "until=2026-11-22": 1200, "request=r": 0, "request=' OR 1=1 --": 0} {
			name, value, _ := strings.Cut(filter, "=")
			q, n := crm.Query{Filter: map[string]string{name: value}, Limit: 1000}, 0
			must(t, s.App.ReadModuleLog(ctx, who, "sample", q, func(crm.ModuleLogLine) error { n++; return nil }))
			if n != want {
				t.Errorf("%s: %d lines", filter, n)
			}
		}
		page, err := s.App.ModuleLog(ctx, who, "sample", crm.Query{Limit: 10})
		must(t, err)
		since := crm.Query{Filter: map[string]string{"since": fmt.Sprint(page.Rows[4].ID)}}
		if page, err = s.App.ModuleLog(ctx, who, "sample", since); err != nil || len(page.Rows) != 4 {
			t.Errorf("newer than the fifth: %d %v", len(page.Rows), err)
		}
		since.Filter["since"] = "x"
		if _, err = s.App.ModuleLog(ctx, who, "sample", since); crm.KindOf(err) != crm.Invalid {
			t.Errorf("since x: %v", err)
		}
		if err := s.App.ReadModuleLog(ctx, s.SignIn(t, "ben@example.com").Who(), "sample", crm.Query{}, nil); crm.KindOf(err) != crm.Denied {
			t.Errorf("Ben reads the log: %v", err)
		}
	})
}

// A module that writes while its log is read doesn't keep the reader for ever.
func TestALogIsReadAsItWasWhenReadingBegan(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx := t.Context()
		must(t, s.App.InstallModule(ctx, crm.Operator(), crm.Module{ID: "busy", Version: "1.0.0", Manifest: []byte("{}"), SHA256: "busy"}, []byte("busy"), crm.ModuleTrial{}, ""))
		must(t, s.App.AppendModuleLog(ctx, "busy", lines(s, 0, 500))) // as many as are read at a time
		read := 0
		must(t, s.App.ReadModuleLog(ctx, crm.Operator(), "busy", crm.Query{}, func(crm.ModuleLogLine) error {
			if read++; read > 1 {
				return nil
			}
			return s.App.AppendModuleLog(ctx, "busy", lines(s, 500, 3))
		}))
		if read != 500 {
			t.Errorf("read %d lines", read)
		}
	})
}
