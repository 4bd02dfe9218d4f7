package module

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// data is what the sample module keeps, as "key=value key=value".
func (s *stage) data() string {
	s.t.Helper()
	return dataOf(s.t, s.site.App)
}

func dataOf(t testing.TB, a *app.App) string {
	t.Helper()
	keys, err := a.ModuleKeys(context.Background(), "sample", "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, key := range keys {
		value, err := a.ModuleValue(context.Background(), "sample", key)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, key+"="+string(value))
	}
	return strings.Join(parts, " ")
}

// migrated lists the versions that say in the audit that they brought the data to their form, newest
// first.
func (s *stage) migrated() []string {
	s.t.Helper()
	var versions []string
	for _, e := range s.site.Audit(s.t, "module_entry") {
		versions = append(versions, e.Detail["to"])
	}
	return versions
}

func (s *stage) keeps(data string, migrated ...string) {
	s.t.Helper()
	if got := s.data(); got != data {
		s.t.Errorf("it keeps %q, not %q", got, data)
	}
	if got := s.migrated(); !slices.Equal(got, migrated) {
		s.t.Errorf("the audit has %v, not %v", got, migrated)
	}
}

// A version that fails after it has changed the module's data leaves the old one running, with its
// data; one that takes over brings its own.
func TestAFailedVersionLeavesNoData(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{mode: "migrate"})
	const first, second = "only-1.0.0=x version=1.0.0", "only-1.1.0=x version=1.1.0"
	s.keeps(first, "1.0.0")
	pid := s.pid("sample")
	for mode, key := range map[string]string{"migrate-refuse": "module_call_failed", "migrate-exit": "module_start_exit"} {
		_, err := s.tryInstall(kit{version: "1.1.0", mode: mode})
		if crm.KeyOf(err) != key {
			t.Errorf("%s: %v", mode, err)
		}
		s.keeps(first, "1.0.0")
		if s.pid("sample") != pid || s.row("sample").State != Active {
			t.Errorf("%s: the old one does not run on", mode)
		}
	}
	s.install(kit{version: "1.1.0", mode: "migrate"})
	s.keeps(second, "1.1.0", "1.0.0") // and nothing of what 1.0.0 would write when it is deactivated
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	s.keeps("last=1.1.0 "+second, "1.1.0", "1.0.0")
}

func TestAFailedActivationLeavesNoData(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"migrate-refuse", "migrate-exit"} {
		s := newStage(t, nil)
		s.install(kit{mode: mode})
		if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); err == nil {
			t.Fatal("it is active")
		}
		s.keeps("")
	}
}

// A version that another process installed is on trial here too: what it wrote is kept when it takes
// over, and when it can't the old one goes on and may go on writing.
func TestAVersionThatIsFollowedIsOnTrial(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{mode: "migrate"})
	shell := s.shell()
	installHere(t, shell, kit{version: "1.1.0", mode: "migrate-refuse"})
	eventually(t, "it has been tried", func() bool { return s.row("sample").Problem != nil })
	s.keeps("only-1.0.0=x version=1.0.0", "1.0.0")
	if _, text := s.ask("POST", "/store", ""); text != "v <nil>" {
		t.Errorf("the old one can't write any more: %q", text)
	}
	if err := s.rollBack(""); err != nil || s.row("sample").Version != "1.0.0" || s.row("sample").Problem != nil {
		t.Errorf("back to what still runs: %v %+v", err, s.row("sample"))
	}
	s.keeps("k=v only-1.0.0=x version=1.0.0", "1.0.0", "1.0.0")
	installHere(t, shell, kit{version: "1.2.0", mode: "migrate"})
	eventually(t, "the next one runs", func() bool {
		r, err := s.m.active("sample")
		return err == nil && r.manifest.Version == "1.2.0"
	})
	s.keeps("k=v only-1.2.0=x version=1.2.0", "1.2.0", "1.0.0", "1.0.0")
}

// shell is a second process on the same site, which serves nothing.
func (s *stage) shell() *Manager {
	m := New(Options{App: s.site.App, Dir: s.m.shelf.path, RunDir: s.m.runDir, AllowUpload: true, Log: s.m.log})
	m.timing = quick()
	return m
}

// candidate is a process of the sample module on trial beside the one that runs.
func (s *stage) candidate() *running {
	s.t.Helper()
	row, err := s.site.App.Module(s.t.Context(), "sample")
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.m.start(s.t.Context(), s.m.unit(row), row)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.stop(false) })
	return r
}

// What a process on trial publishes isn't on the surface, and what has no place in a trial is
// refused.
func TestAProcessOnTrialChangesNothingOthersSee(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	r := s.candidate()
	services := &hostServices{running: r, app: s.site.App}
	added, _ := proto.Clone(r.described.GetContributions()).(*modulev1.Contributions)
	added.NavbarItems = nil
	if _, err := services.Publish(t.Context(), &modulev1.PublishRequest{Contributions: added}); err != nil {
		t.Fatal(err)
	}
	if bar := s.m.Surface().Navbar(s.viewer()); len(bar) != 1 {
		t.Errorf("the surface is the candidate's: %+v", bar)
	}
	handle := func(context.Context, any) (any, error) { return "done", nil }
	for _, method := range []string{modulev1.LanguageService_PutLanguage_FullMethodName, modulev1.LanguageService_DeleteLanguage_FullMethodName} {
		info := &grpc.UnaryServerInfo{FullMethod: method}
		if _, err := services.intercept(t.Context(), nil, info, handle); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s on trial: %v", method, err)
		}
		current, err := s.m.active("sample")
		if err != nil {
			t.Fatal(err)
		}
		services := &hostServices{running: current, app: s.site.App}
		if _, err := services.intercept(t.Context(), nil, info, handle); err != nil {
			t.Errorf("%s of the running one: %v", method, err)
		}
	}
}

// Whoever adds a host service decides what it does on trial. What only reads is free; what changes
// something others see is kept aside or refused.
func TestEveryHostMethodSaysWhatItDoesOnTrial(t *testing.T) {
	for method := range methodGrants {
		if _, decided := trialRules[method]; !decided {
			t.Errorf("%s has no line: it is refused on trial", method)
		}
	}
	for method := range trialRules {
		if _, offered := methodGrants[method]; !offered {
			t.Errorf("%s is not offered", method)
		}
		name := method[strings.LastIndexByte(method, '/')+1:]
		reads := strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Search") || strings.HasPrefix(name, "Explain") || strings.HasPrefix(name, "Check") || name == "Publish"
		if trialRules[method] == freeOnTrial && !reads {
			t.Errorf("%s changes something and is free", method)
		}
	}
}

// What is kept aside counts as if it were written, is seen as if it were, and has its bounds.
func TestValuesKeptAside(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{})
	ctx := t.Context()
	own := &ownData{app: s.site.App, id: "sample"}
	for key, value := range map[string]string{"a": "1", "c": "3", "e": "5"} {
		if err := s.site.App.PutModuleValue(ctx, "sample", "", key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{own.put(ctx, "b", []byte("2")), own.put(ctx, "c", []byte{}), own.remove(ctx, "e"), own.remove(ctx, "none"), own.put(ctx, "f", []byte("6")), own.remove(ctx, "f")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          string
	}{{"", "", 100, "[a b c]"}, {"", "a", 1, "[b]"}, {"c", "", 9, "[c]"}, {"", "c", 9, "[]"}} {
		if keys, err := own.keys(ctx, c.prefix, c.after, c.limit); err != nil || fmt.Sprint(keys) != c.want {
			t.Errorf("keys %+v: %v %v", c, keys, err)
		}
	}
	for key, want := range map[string]string{"a": "1", "b": "2", "c": ""} {
		if value, err := own.value(ctx, key); err != nil || string(value) != want {
			t.Errorf("%s: %q %v", key, value, err)
		}
	}
	for _, key := range []string{"e", "f", "none"} {
		_, err := own.value(ctx, key)
		wantKey(t, err, crm.NotFound, "value_not_found")
	}
	if got := s.data(); got != "a=1 c=3 e=5" {
		t.Errorf("the database has %q", got)
	}

	full := &ownData{app: s.site.App, id: "sample"}
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = full.put(ctx, fmt.Sprint("big", i), make([]byte, app.MaxModuleValue))
	}
	wantKey(t, err, crm.TooLarge, "module_quota")
	if n := len(full.values); n != 15 {
		t.Errorf("%d values of 1 MiB fit beside what is there", n)
	}
	if err := full.remove(ctx, "big0"); err != nil {
		t.Fatal(err)
	}
	if err := full.put(ctx, "again", make([]byte, app.MaxModuleValue)); err != nil {
		t.Errorf("no room where some was made: %v", err)
	}
	// While it waited others took the room: it isn't kept, and neither is a part of it.
	if err := s.site.App.PutModuleValue(ctx, "sample", "", "late", make([]byte, app.MaxModuleValue)); err != nil {
		t.Fatal(err)
	}
	err = full.handOver(nil, func(trial crm.ModuleTrial) error { return s.site.App.KeepModuleTrial(ctx, "sample", trial) })
	wantKey(t, err, crm.TooLarge, "module_quota")
	if _, err := s.site.App.ModuleValue(ctx, "sample", "again"); crm.KindOf(err) != crm.NotFound {
		t.Errorf("a part of it was kept: %v", err)
	}

	if err := own.handOver(nil, func(trial crm.ModuleTrial) error { return s.site.App.KeepModuleTrial(ctx, "sample", trial) }); err != nil {
		t.Fatal(err)
	}
	if keys := strings.Fields(s.data()); !slices.Equal(keys[:3], []string{"a=1", "b=2", "c="}) {
		t.Errorf("kept: %v", keys[:3])
	}
	if err := own.put(ctx, "now", []byte("!")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.site.App.ModuleValue(ctx, "sample", "now"); err != nil {
		t.Errorf("adopted it does not write through: %v", err)
	}
}

// While data changes hands nobody writes, and afterwards only the new process does.
func TestOneProcessWritesAtATime(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{})
	ctx := t.Context()
	old := &running{own: &ownData{app: s.site.App, id: "sample", phase: adopted}}
	next := &ownData{app: s.site.App, id: "sample"}
	var written atomic.Int64
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for old.own.put(ctx, fmt.Sprint("old", i), []byte("x")) == nil {
				written.Add(1)
			}
		})
		writers.Go(func() {
			for range 20 {
				if err := next.put(ctx, fmt.Sprint("next", i), []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	eventually(t, "the old one writes", func() bool { return written.Load() > 20 })
	err := next.handOver(old, func(trial crm.ModuleTrial) error {
		before := s.data()
		for range 20 {
			if s.data() != before {
				t.Error("somebody writes meanwhile")
			}
		}
		return s.site.App.KeepModuleTrial(ctx, "sample", trial)
	})
	writers.Wait()
	if err != nil || status.Code(old.own.put(ctx, "old", nil)) != codes.FailedPrecondition || status.Code(old.own.remove(ctx, "next0")) != codes.FailedPrecondition {
		t.Errorf("the old one writes on: %v", err)
	}
	if _, err := old.own.value(ctx, "next3"); err != nil {
		t.Errorf("the old one does not read: %v", err)
	}
	if got := s.data(); !strings.HasPrefix(got, "next0=x next1=x next2=x next3=x old") {
		t.Errorf("there is %q", got)
	}
}

// A trial can't fill memory with names or entries.
func TestATrialIsBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{})
	own := &ownData{app: s.site.App, id: "sample", values: map[string]trialValue{}}
	for i := range maxTrialValues {
		own.values[fmt.Sprint(i)] = trialValue{}
	}
	before := maps.Clone(own.values)
	if err := own.remove(t.Context(), "one more"); status.Code(err) != codes.ResourceExhausted || len(own.values) != len(before) {
		t.Errorf("one value more: %v", err)
	}
	var err error
	for range maxTrialEntries {
		err = own.write(t.Context(), crm.Who{}, "did", nil)
	}
	if err != nil || status.Code(own.write(t.Context(), crm.Who{}, "did", nil)) != codes.ResourceExhausted {
		t.Errorf("one entry more: %v", err)
	}
	wantKey(t, own.write(t.Context(), crm.Who{}, "", nil), crm.Invalid, "audit_entry_invalid")
}
