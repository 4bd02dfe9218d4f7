package module

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// A module that was let in, and misbehaves on its pages: each becomes one sentence, the module's
// log says what it was, and nobody beside it notices.
func TestAHostilePageHurtsNobody(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	if err := s.enter("", ""); err != nil {
		t.Fatal(err)
	}
	for _, attack := range []struct {
		name, path, key, logged string
	}{
		{"never answers", "/hang", "module_call_timeout", "page /hang: "},
		{"never stops answering", "/hang-body", "module_call_timeout", "page /hang-body: "},
		{"answers in bytes that are no message", "/garbage", "module_call_failed", "page /garbage: "},
		{"answers without a head", "/no-head", "module_call_failed", "no head"},
		{"answers with a status that is none", "/status", "module_call_failed", "one that can't be sent"},
		{"answers with a line break in a header", "/line-break", "module_call_failed", "one that can't be sent"},
		{"sends the browser elsewhere", "/away", "module_call_failed", "one that can't be sent"},
		{"answers with a page of 100 MiB", "/big-page", "module_call_failed", "longer than 4194304 bytes"},
		{"answers in one message of 100 MiB", "/big-message", "module_call_failed", "larger than max"},
		{"fails in words made for a terminal and a browser", "/words", "module_call_failed", "<script>alert(1)</script>"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s.t = t
			if _, text, err := s.page("/ok"); err != nil || text != "<p>fine</p>" {
				t.Fatalf("before: %q %v", text, err) // and the circuit is closed
			}
			if attack.key == "module_call_timeout" {
				defer s.hasty()()
			}
			_, _, err := s.page(attack.path)
			if crm.KeyOf(err) != attack.key {
				t.Errorf("got %v, want %s", err, attack.key)
			}
			s.said(attack.logged)
			answer, page := s.fetch("/admin/m/rogue" + attack.path)
			if answer.StatusCode < 500 && answer.StatusCode != http.StatusRequestEntityTooLarge || strings.Contains(page, "<script>alert(1)") || answer.Header.Get("Location") != "" || !strings.Contains(page, "Ann Lee") {
				t.Errorf("on the screen: %d %.300s", answer.StatusCode, page)
			}
			s.unhurt()
		})
	}
}

func TestWhatAHostilePageMaySayIsHarmless(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	if err := s.enter("", ""); err != nil {
		t.Fatal(err)
	}
	answer, _ := s.fetch("/admin/m/rogue/cookie")
	if answer.StatusCode != http.StatusOK || strings.Contains(strings.Join(answer.Header.Values("Set-Cookie"), " "), "stolen") || answer.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("its header came through: %v", answer.Header)
	}
	_, page := s.fetch("/admin/m/rogue/script")
	if !strings.Contains(page, "fine") || strings.Contains(page, "steal()") || strings.Contains(page, "elsewhere.example") || strings.Contains(page, `action="/admin/staff"`) {
		t.Errorf("its page came through as it was: %.2000s", page[max(0, strings.Index(page, "<main")):])
	}
	for _, what := range []string{"label-script", "icon-script", "item-elsewhere", "item-of-another", "page-of-another", "many-items"} {
		if _, text, err := s.page("/publish?" + what); err != nil || !strings.Contains(text, "InvalidArgument") {
			t.Errorf("published while it runs: %s: %q %v", what, text, err)
		}
		s.said("refused: publish")
	}
	if bar := s.m.Surface().Navbar(s.viewer()); len(bar) != 2 {
		t.Errorf("the bar holds %+v", bar)
	}
	s.unhurt()
}

// The hooks: whatever else comes than a clear yes is a no.
func TestAHostileDeciderDecidesNothing(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	for attack, logged := range map[string]string{
		"decide-hang": "decide switch: ", "decide-garbage": "decide switch: ", "decide-big": "larger than max", "decide-words": "<script>", "limitless": "without a limit",
	} {
		t.Run(attack, func(t *testing.T) {
			s.t = t
			defer s.leave()
			if err := s.enter(attack, `[{ "name": "session.switch", "why": "To decide." }]`); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(attack, "-hang") {
				defer s.hasty()()
			}
			_, err := s.m.DecideSwitch(t.Context(), s.question())
			wantKey(t, err, crm.Unavailable, "switch_module_silent")
			s.said(logged)
			s.unhurt()
		})
	}
	for attack, logged := range map[string]string{"validate-hang": "validate settings: ", "validate-garbage": "validate settings: ", "changed-hang": "settings changed: "} {
		t.Run(attack, func(t *testing.T) {
			s.t = t
			defer s.leave()
			if err := s.enter(attack, ""); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(attack, "-hang") {
				defer s.hasty()()
			}
			err := s.m.SaveSettings(t.Context(), s.ann.Who(), "rogue", map[string]string{"closed": "true"})
			if saved := s.m.SettingsValues(t.Context(), "rogue")["closed"] == "true"; saved != (err == nil) {
				t.Errorf("saved: %v, told: %v", saved, err)
			}
			s.said(logged)
			s.unhurt()
		})
	}
}

// Each of the host's services, by a module that was granted nothing.
func TestWhatWasNotGrantedIsRefusedAndLoggedByName(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	if err := s.enter("", ""); err != nil {
		t.Fatal(err)
	}
	_, text, err := s.page("/ask")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		t.Fatal(err)
	}
	if len(said) != len(methodGrants) {
		t.Errorf("%d methods were tried of %d: %v", len(said), len(methodGrants), said)
	}
	for method, grant := range methodGrants {
		short := strings.TrimPrefix(method, "/understudy.module.v1.")
		refused := slices.Contains(said, short+" PermissionDenied")
		if refused != (grant != noGrant) {
			t.Errorf("%s, which needs %q: refused %v", short, grant, refused)
		}
		if refused {
			s.said("refused: " + method + " needs the grant " + grant)
		}
	}
	s.unhurt()
}

// The probes of the sandbox once more, from within a module that serves: what the kernel refuses,
// and what the host hears of it.
func TestAServingModuleIsHeldToItsSandbox(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	database := filepath.Join(filepath.Dir(s.m.shelf.path), "understudy.db")
	if err := os.WriteFile(database, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	tcp, udp := listen(t)
	known := url.Values{
		"DATABASE": {database}, "OUTSIDE": {filepath.Dir(s.m.shelf.path)}, "FOLDER": {filepath.Join(s.m.shelf.path, "rogue/1.0.0")},
		"TCP_PORT": {fmt.Sprint(tcp)}, "UDP_PORT": {fmt.Sprint(udp)}, "OTHER": {filepath.Join(s.m.runDir, "good/other")}, "ABSTRACT": {"@understudy-x"},
	}.Encode()
	for _, attack := range []struct {
		name    string
		refused []string
		logged  []string
	}{
		{
			name: "files", // the kernel is silent about these: the row says that the module is held to its own files
			refused: []string{
				"read /etc/passwd", "read " + database, "list /", "write outside", "write database", "truncate database", "remove database",
				"take database", "link database", "write package", "execute run", "execute shell",
			},
		},
		{name: "network", refused: []string{"tcp", "tcp6", "mptcp", "udp", "raw", "netlink", "io_uring"}, logged: []string{
			"refused: open a socket for TCP; it needs the grant network", "refused: open a socket for multipath TCP", "refused: open a socket for UDP", "refused: open a socket for packets",
		}},
		{name: "sockets", refused: []string{"OTHER", "ABSTRACT"}, logged: []string{"refused: connect to " + s.m.runDir + "/good/other"}},
		{name: "processes", refused: []string{"ptrace", "kill", "fork", "start", "leave group"}, logged: []string{"refused: start a process"}},
		{name: "machine", refused: []string{"unshare", "setns", "mount", "bpf", "keyctl", "userfaultfd"}},
		{name: "escape", refused: escapes},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s.t = t
			defer s.leave()
			if err := s.enter("", ""); err != nil {
				t.Fatal(err)
			}
			_, text, err := s.page("/try?" + attack.name + "&" + known)
			if err != nil {
				t.Fatal(err)
			}
			answers := map[string]string{}
			for line := range strings.Lines(text) {
				name, answer, _ := strings.Cut(strings.TrimSpace(line), ": ")
				answers[name] = answer
			}
			wantRefused(t, answers, attack.refused...)
			if row := s.row("rogue"); row.Sandbox == nil || !row.Sandbox.Reaches(RequireFull) {
				t.Errorf("its row: %v", row.Sandbox)
			}
			for _, words := range attack.logged {
				s.said(words)
			}
			if text, err := os.ReadFile(database); err != nil || string(text) != "secret" {
				t.Errorf("the database holds %q, %v", text, err)
			}
			s.unhurt()
		})
	}
}

// Its end is as bad as its life: it dies, fills the log, is silent when its health is asked for.
func TestAHostileModulesEndHurtsNobody(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	for _, attack := range []struct {
		name, mode string
		do         func()
		logged     string
	}{
		{"dies at a page", "", func() { _, _, _ = s.page("/kill") }, "the process ended by itself: exit code 3"},
		{"is killed", "", func() { kill(s.t, s.pid("rogue")) }, "the process ended by itself: killed by SIGKILL"},
		{"fills its log", "", func() { _, _, _ = s.page("/log") }, "line 19999 xxx"},
		{"burns processors", "", func() {
			pid := s.pid("rogue")
			_, _, _ = s.page("/burn")
			if nice, err := unix.Getpriority(unix.PRIO_PROCESS, pid); err != nil || 20-nice != 19 {
				s.t.Errorf("its niceness is %d, %v", 20-nice, err)
			}
		}, "it has kept a processor busy"},
		{"is silent when its health is asked for", "health-hang", func() {
			s.hasty()
			u := s.m.known("rogue")
			for r := u.current.Load(); u.current.Load() == r; {
				u.lookAfter(s.t.Context(), r)
			}
		}, "it does not answer any more; ending its process"},
		{"never lets itself be deactivated", "deactivate-hang", func() {
			s.hasty()
			promptly(t, "deactivate", func() { _ = s.m.Deactivate(s.t.Context(), s.ann.Who(), "rogue") })
		}, "deactivate: "},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s.t = t
			defer s.leave()
			if err := s.enter(attack.mode, ""); err != nil {
				t.Fatal(err)
			}
			attack.do()
			s.said(attack.logged)
			s.unhurt()
		})
	}
}

// escapes are the names of the less worn tries.
var escapes = []string{
	"io_uring_setup", "io_uring_enter", "io_uring_register", "memfd", "memfd_secret", "execveat", "clone3", "clone user namespace", "own memory", "own rank",
	"own files", "leave the control group", "keyring", "add key", "type into the terminal", "paste into the console", "seccomp listener", "be traced",
	"look like another", "open by handle", "raise nice", "be first", "link to a device", "leave a link for the host", "link its own socket's folder", "other run folders",
}
