package module

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// endless leaves a hung call underway until the test ends the module's process.
func endless(q *timing) {
	q.lifecycle, q.deactivate, q.page, q.idle, q.hook, q.healthLimit = time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour
	q.grace = 100 * time.Millisecond
}

// While a module hangs in any call there is, everything about another one works: what the host
// holds meanwhile is nobody else's. The hung call lasts until the test ends the process, so whatever
// waited for it would wait for ever.
func TestAHungModuleHoldsUpNothing(t *testing.T) {
	for _, hang := range []struct {
		call string
		do   func(*siege)
	}{
		{"describe", func(s *siege) { _ = s.m.Activate(s.t.Context(), s.ann.Who(), "rogue") }},
		{"activate", func(s *siege) { _ = s.m.Activate(s.t.Context(), s.ann.Who(), "rogue") }},
		{"deactivate", func(s *siege) { _ = s.m.Deactivate(s.t.Context(), s.ann.Who(), "rogue") }},
		{"health", func(s *siege) { u := s.m.known("rogue"); u.lookAfter(s.t.Context(), u.current.Load()) }},
		{"page", func(s *siege) { _, _, _ = s.page("/hang") }},
		{"decide", func(s *siege) { _, _ = s.m.DecideSwitch(s.t.Context(), s.question()) }},
		{"validate", func(s *siege) {
			_ = s.m.SaveSettings(s.t.Context(), s.ann.Who(), "rogue", map[string]string{"closed": "true"})
		}},
	} {
		t.Run(hang.call, func(t *testing.T) {
			t.Parallel()
			s := besiege(t)
			s.install(s.rogue(hang.call+"-hang", `[{ "name": "session.switch", "why": "To decide." }]`))
			if hang.call != "describe" && hang.call != "activate" {
				if err := s.m.Activate(t.Context(), s.ann.Who(), "rogue"); err != nil {
					t.Fatal(err)
				}
			}
			endless(&s.m.timing)
			if r, err := s.m.active("rogue"); err == nil {
				endless(&r.timing)
			}
			hung := make(chan struct{})
			go func() { defer close(hung); hang.do(s) }()
			eventually(t, "it runs", func() bool { return len(processesBelow(s.m.shelf.path+"/rogue")) == 1 })
			promptly(t, "everything else", func() { s.liveOn(hung) })
			for _, p := range processesBelow(s.m.shelf.path + "/rogue") {
				number, _, _ := strings.Cut(p, " ")
				pid, err := strconv.Atoi(number)
				if err != nil {
					t.Fatal(err)
				}
				kill(t, pid)
			}
			<-hung
		})
	}
}

// liveOn does with the good module what can be done, while the other one hangs.
func (s *siege) liveOn(hung <-chan struct{}) {
	ctx, who := s.t.Context(), s.ann.Who()
	if err := s.m.Deactivate(ctx, who, "good"); err != nil {
		s.t.Errorf("deactivate the other: %v", err)
	}
	if err := s.m.Activate(ctx, who, "good"); err != nil {
		s.t.Errorf("activate the other: %v", err)
	}
	if rows, err := s.m.Modules(ctx, who); err != nil || len(rows) != 2 {
		s.t.Errorf("list: %d %v", len(rows), err)
	}
	s.unhurt()
	select {
	case <-hung:
		s.t.Error("it was the hung call that ended first")
	default:
	}
}

// Nine modules' health is looked after while the tenth one's check gets no answer: one of them loses
// its socket, which only a check notices.
func TestAHungHealthCheckDelaysNoOther(t *testing.T) {
	s := newStage(t, func(q *timing) {
		q.health, q.healthLimit, q.grace = 20*time.Millisecond, time.Hour, 100*time.Millisecond
	})
	for i := range 10 {
		s.active(kit{id: fmt.Sprintf("sample-%02d", i)})
	}
	hung := s.pid("sample-00")
	freeze(t, hung)
	for i := 1; i < 10; i += 4 {
		id := fmt.Sprintf("sample-%02d", i)
		r, err := s.m.active(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(r.process.socket); err != nil {
			t.Fatal(err)
		}
		eventually(t, id+" is started anew", func() bool {
			next, err := s.m.active(id)
			return err == nil && next != r
		})
	}
	if s.pid("sample-00") != hung {
		t.Error("the hung one's check has ended")
	}
	kill(t, hung)
}

// A module may ask for everything while it is being deactivated: it gets its answers, and the host
// waits for nothing but the deadline.
func TestAModuleMayAskForEverythingWhileItIsDeactivated(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	if err := s.enter("deactivate-asks", `[{ "name": "session.switch", "why": "a" }, { "name": "directory.read", "why": "b" }, { "name": "audit.write", "why": "c" }, { "name": "notice.send", "why": "d" }]`); err != nil {
		t.Fatal(err)
	}
	promptly(t, "deactivate", func() {
		if err := s.m.Deactivate(t.Context(), s.ann.Who(), "rogue"); err != nil {
			t.Error(err)
		}
	})
	s.said("asked while deactivated")
	lines := strings.Split(s.log("rogue"), "\n")
	line := lines[slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "asked while deactivated") })]
	if got := strings.Count(line, "Service/"); got != len(methodGrants) {
		t.Errorf("%d of %d methods answered: %s", got, len(methodGrants), line)
	}
	for _, code := range []string{"DeadlineExceeded", "Unavailable", "Canceled", "PermissionDenied", "Unimplemented", "Internal"} {
		if strings.Contains(line, code) {
			t.Errorf("a method answered %s: %s", code, line)
		}
	}
	s.unhurt()
	s.leave()

	// Without a grant it hears so, and that hurts nobody either.
	if err := s.enter("deactivate-asks", ""); err != nil {
		t.Fatal(err)
	}
	promptly(t, "deactivate", func() { _ = s.m.Deactivate(t.Context(), s.ann.Who(), "rogue") })
	s.said("asked while deactivated: DirectoryService/SearchAccounts PermissionDenied")
	s.unhurt()
}

// What the host only tells a module may be lost on it. That is no reason to end it, and the screen
// says what is so.
func TestANoteThatIsNotTakenKillsNoModule(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	if err := s.enter("changed-hang", ""); err != nil {
		t.Fatal(err)
	}
	pid := s.pid("rogue")
	giveBack := s.hasty()
	for range 3 {
		_ = s.m.SaveSettings(t.Context(), s.ann.Who(), "rogue", map[string]string{"closed": "true"})
	}
	if row := s.row("rogue"); s.pid("rogue") != pid || row.State != Active || row.Crashes != 0 || s.m.SettingsValues(t.Context(), "rogue")["closed"] != "true" {
		t.Errorf("its row: %s, crashes %d", row.State, row.Crashes)
	}
	giveBack()
	if _, text, err := s.page("/ok"); err != nil || text != "<p>fine</p>" {
		t.Errorf("its pages: %q %v", text, err)
	}
	s.said("settings changed: ")
}

// What a module leaves in its run folder is cleared away with the folder, and where a link there
// leads is none of it.
func TestALinkInARunFolderLeadsNowhere(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	treasure := filepath.Join(t.TempDir(), "treasure")
	if err := os.WriteFile(treasure, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"folder": filepath.Dir(treasure), "file": treasure, "up": "../.."} {
		if err := os.Symlink(target, filepath.Join(r.process.child.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(treasure); err != nil || string(text) != "kept" {
		t.Errorf("the file a link led to: %q %v", text, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.m.runDir, "sample", "*")); err != nil || len(left) > 0 {
		t.Errorf("left in its run folder: %v %v", left, err)
	}
}

// The host connects to nothing else because a module says so.
func TestAModulesAddressLeadsIntoItsOwnFolder(t *testing.T) {
	c := &child{folder: "/run/understudy/sample/x"}
	for network, addresses := range map[string][]string{
		"unix": {"/run/docker.sock", "/run/understudy/sample/x/../../docker.sock", "@abstract", "", "/run/understudy/sample/x/deeper/socket"},
		"tcp":  {"127.0.0.1:5432", "elsewhere.example:80"},
	} {
		for _, address := range addresses {
			if _, _, err := c.PluginToHost(network, address); err == nil {
				t.Errorf("it connects to %s %s", network, address)
			}
		}
	}
	if _, address, err := c.PluginToHost("unix", "/run/understudy/sample/x/socket"); err != nil || address != "/run/understudy/sample/x/socket" {
		t.Errorf("its own: %q %v", address, err)
	}
}

// go-plugin remembers each connection that a module offers, some of them for good. The host reads
// only a few.
func TestAModuleThatOffersConnectionsWithoutEndWaits(t *testing.T) {
	s := besiege(t)
	if err := s.enter("offers", ""); err != nil {
		t.Fatal(err)
	}
	before, offered := runtime.NumGoroutine(), ""
	since := time.Now()
	eventually(t, "it can offer no more", func() bool {
		_, text, err := s.page("/offers")
		if err != nil {
			t.Fatal(err)
		}
		if text != offered || text == "0" {
			offered, since = text, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
	if n, err := strconv.Atoi(offered); err != nil || n > 100_000 {
		t.Errorf("it offered %s", offered)
	}
	if grown := runtime.NumGoroutine() - before; grown > 100 {
		t.Errorf("the host has %d goroutines more", grown)
	}
	s.unhurt()
}

// However many connections a module opens to the host's services, its calls at a time are bounded.
func TestAModulesCallsAtATimeAreBoundedOverAllItsConnections(t *testing.T) {
	tap := boundAsking()
	var end context.CancelFunc
	for range maxAskingIn {
		var ctx context.Context
		ctx, end = context.WithCancel(t.Context())
		defer end()
		if _, err := tap(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tap(t.Context(), nil); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one more: %v", err)
	}
	end()
	eventually(t, "there is room again", func() bool { _, err := tap(t.Context(), nil); return err == nil })
}
