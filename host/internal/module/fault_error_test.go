package module

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// What goes wrong at any step leaves the old version running, with its data and its folder, and able
// to write; where there is no error the new one has taken over.
func TestAnErrorAtAnyStepLeavesTheOldOneRunning(t *testing.T) {
	for how, c := range versionChanges {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			s.active(kit{version: v1, mode: "migrate", grants: withAudit})
			c.prepare(t, s.m)
			var steps []string
			fails := -1
			s.m.fault = func(name string) error {
				if steps = append(steps, name); len(steps)-1 == fails {
					return errors.New("it went wrong at " + name)
				}
				return nil
			}
			for failed := 0; ; failed++ {
				steps, fails = nil, failed
				before := s.stands()
				err := c.make(s.m)
				after := s.stands()
				if failed >= len(steps) {
					t.Fatalf("%s: all of %v failed, and none took over", how, steps)
				}
				if err == nil {
					if after.version != c.next || after.data != s.form(c.next) {
						t.Errorf("%s took over, and there is %+v", c.next, after)
					}
					if slices.Index(steps, "recorded") != failed {
						t.Errorf("the first step that can fail no more is %s of %v", steps[failed], steps)
					}
					break
				}
				after.processes, before.processes = slices.Sorted(slices.Values(after.processes)), slices.Sorted(slices.Values(before.processes))
				if fmt.Sprint(after) != fmt.Sprint(before) || after.version != c.old || after.data != s.form(c.old) {
					t.Errorf("failing at %s changed\n%+v to\n%+v", steps[failed], before, after)
				}
			}
			s.m.fault = nil
		})
	}
}

// standing is all that must not change when a change of versions fails.
type standing struct {
	version, row, data string
	pid                int
	folders, processes []string
	kept               []string
	waiting            bool
}

func (s *stage) stands() standing {
	s.t.Helper()
	r, err := s.m.active("sample")
	if err != nil {
		s.t.Fatal(err)
	}
	row := s.row("sample")
	if err := s.m.shelf.check("sample", filepath.Base(r.placed.folder), r.placed.sums); err != nil {
		s.t.Error(err)
	}
	if err := r.own.put(s.t.Context(), "last", []byte("x")); err != nil {
		s.t.Errorf("it can't write: %v", err)
	}
	return standing{
		version: r.manifest.Version, row: row.Version + " " + row.SHA256, data: s.data(), pid: s.pid("sample"), folders: s.folders(),
		processes: processesBelow(s.m.shelf.path), kept: numbers(s.versions()), waiting: row.Waiting != nil,
	}
}

// form is the data as a version wants it.
func (s *stage) form(version string) string {
	return "last=x only-" + version + "=x version=" + version
}

// Whoever asked for an upgrade may go away in the middle of it: then nothing has changed.
func TestAnUpgradeNobodyWaitsForChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{version: v1, mode: "migrate", grants: withAudit})
	before := s.stands()
	uploadHere(t, s.m, kit{version: v2, mode: "migrate", grants: withAudit})
	ctx, cancel := context.WithCancel(t.Context())
	s.m.fault = func(step string) error {
		if step == "recording" {
			cancel()
		}
		return nil
	}
	_, err := s.m.Install(ctx, crm.Operator(), uploaded(s.m))
	s.m.fault = nil
	if err == nil {
		t.Fatal("it took over")
	}
	if after := s.stands(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("it changed\n%+v to\n%+v", before, after)
	}
	if failed := s.site.Audit(t, "module_step_failed"); len(failed) != 1 {
		t.Errorf("entries: %+v", failed)
	}
}
