package module

import (
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Every attack that a module can make on its way in: it stays out, its row and the Activity Log say
// why, its log holds its own words, and nobody beside it notices.
func TestAHostileModuleIsNotLetIn(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	usual := s.m.timing
	for _, attack := range []struct {
		name   string
		kit    kit
		key    string
		logged string
	}{
		{"never describes itself", s.rogue("describe-hang", ""), "module_call_timeout", "describe: "},
		{"never gets activated", s.rogue("activate-hang", ""), "module_call_timeout", "activate: "},
		{"describes itself in bytes that are no message", s.rogue("describe-garbage", ""), "module_call_failed", "describe: "},
		{"describes itself in 100 MiB", s.rogue("describe-big", ""), "module_call_failed", "larger than max (10485"},
		{"fails in words made for a terminal and a browser", s.rogue("describe-words", ""), "module_call_failed", "describe: <script>alert(1)</script>"},
		{"answers its activation with garbage", s.rogue("activate-garbage", ""), "module_call_failed", "activate: "},
		{"poses as the module beside it", s.rogue("poses", ""), "module_not_as_described", "activate: "},
		{"asks to decide without asking for the grant", s.rogue("wants-more", ""), "module_wants_more", "activate: "},
		{"publishes a label that is a script", s.rogue("label-script", ""), "module_contribution_invalid", "activate: "},
		{"publishes a label of 128 KiB", s.rogue("label-long", ""), "module_contribution_invalid", "activate: "},
		{"publishes an icon that is a script", s.rogue("icon-script", ""), "module_contribution_invalid", "activate: "},
		{"publishes an item that leads elsewhere", s.rogue("item-elsewhere", ""), "module_contribution_invalid", "activate: "},
		{"publishes an item at another module's address", s.rogue("item-of-another", ""), "module_contribution_invalid", "activate: "},
		{"publishes a page at another module's address", s.rogue("page-of-another", ""), "module_contribution_invalid", "activate: "},
		{"publishes a thousand items", s.rogue("many-items", ""), "module_contribution_invalid", "activate: "},
		{"prints before the handshake", s.raw("print"), "module_start_handshake", "activate: "},
		{"fills the log", s.raw("flood"), "", "xxxxxxxx"},
		{"takes 4 GiB", s.raw("take"), "", "activate: "},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s.t = t
			defer s.leave()
			s.m.timing = usual
			if attack.key == "module_call_timeout" {
				s.m.timing.lifecycle = time.Second
			}
			err := s.letIn(attack.kit)
			if err == nil || attack.key != "" && crm.KeyOf(err) != attack.key {
				t.Errorf("it was let in, or for another reason: %v", err)
			}
			row := s.row("rogue")
			if row.State != Installed || row.Problem == nil || row.Sandbox != nil || row.Activated {
				t.Errorf("its row: %s %v", row.State, row.Problem)
			}
			s.said(attack.logged)
			s.recorded("activate", crm.KeyOf(err))
			if left := processesBelow(s.m.shelf.path + "/rogue"); len(left) > 0 {
				t.Errorf("its process lives on: %v", left)
			}
			if _, page := s.fetch("/admin/modules"); strings.Contains(page, "<script>alert(1)") || strings.Contains(page, `"https://elsewhere`) {
				t.Error("its words got onto the page")
			}
			s.unhurt()
		})
	}
}

// raw is a package whose program is no module at all.
func (s *siege) raw(mode string) kit {
	s.t.Helper()
	k := s.rogue("", "")
	k.mode = mode
	return k
}
