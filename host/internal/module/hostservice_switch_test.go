package module

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// Whoever asks a module's page ends a switch, never the module by itself: not without a request, not by
// one that only looks, and not by one that has ended.
func TestAModuleEndsASwitchOnlyForWhoAsksItTo(t *testing.T) {
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	services := &hostServices{running: r, app: s.site.App}
	ben := s.site.SignIn(t, "ben@example.com")
	ben.Become("jane@acme.example")
	id := s.site.Switches(t)[0].ID
	end := func(request string) codes.Code {
		_, err := services.EndSessionSwitch(t.Context(), &modulev1.EndSessionSwitchRequest{Id: id, RequestId: request})
		return status.Code(services.toStatus("end", err))
	}
	as := func(email string) crm.Who { return s.site.SignIn(t, email).Who() }
	over := r.begin(as("admin@example.com"), true)
	r.end(over)
	for name, c := range map[string]struct {
		request string
		want    codes.Code
	}{
		"none":                  {"", codes.FailedPrecondition},
		"made up":               {"abc", codes.FailedPrecondition},
		"only looks":            {r.begin(as("admin@example.com"), false), codes.FailedPrecondition},
		"is over":               {over, codes.FailedPrecondition},
		"another customer's":    {r.begin(as("rosa@globex.example"), true), codes.NotFound},
		"no right":              {r.begin(as("cleo@example.com"), true), codes.PermissionDenied},
		"under a borrowed name": {r.begin(ben.Who(), true), codes.PermissionDenied},
	} {
		if got := end(c.request); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if !ben.Who().Switched() {
		t.Fatal("it has ended")
	}
	if got := end(r.begin(as("omar@acme.example"), true)); got != codes.OK || ben.Who().Switched() {
		t.Errorf("by a colleague of the subject: %s", got)
	}
}

// The record, people, notices and entries are each behind their grant, whole services at a time: one of
// their methods that needed none would be a way around it.
func TestEveryMethodOfAServiceNeedsItsGrant(t *testing.T) {
	grants := map[string]string{
		"SessionSwitchLogService": "session.switch", "DirectoryService": "directory.read", "NoticeService": "notice.send", "AuditService": "audit.write",
	}
	for method := range methodGrants {
		service, _, _ := strings.Cut(strings.TrimPrefix(method, "/understudy.module.v1."), "/")
		grant, guarded := grants[service]
		if !guarded {
			continue
		}
		for _, held := range []string{"session.switch", "directory.read", "notice.send", "audit.write", "network"} {
			if err := permit(method, []string{held}); (err == nil) != (held == grant) {
				t.Errorf("%s with %s: %v", method, held, err)
			}
		}
	}
}

// A module that has everything decided again without end does so once a second, and whoever asks is
// answered only after it was done once more.
func TestRechecksWithoutEndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			g     together
			done  atomic.Int64
			group sync.WaitGroup
		)
		act := func(context.Context) error { done.Add(1); return nil }
		stop := time.Now().Add(10 * time.Second)
		for range 100 {
			group.Go(func() {
				for time.Now().Before(stop) {
					before := done.Load()
					if err := g.do(t.Context(), time.Second, act); err != nil || done.Load() == before {
						t.Errorf("answered without it being done: %v", err)
					}
				}
			})
		}
		group.Wait()
		if n := done.Load(); n < 10 || n > 11 {
			t.Errorf("done %d times in ten seconds", n)
		}
		late, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.do(late, time.Second, act); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up waits: %v", err)
		}
		before := done.Load()
		time.Sleep(2 * time.Second)
		if done.Load() == before {
			t.Error("what was asked for isn't done since who asked gave up")
		}
	})
}

// A recheck counts: what the module decides by has changed.
func TestARecheckHasSwitchesDecidedAgain(t *testing.T) {
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	services := &hostServices{running: r, app: s.site.App}
	revision := s.ann.Who().Revision
	if _, err := services.RecheckSessionSwitches(t.Context(), &modulev1.RecheckSessionSwitchesRequest{}); err != nil || s.ann.Who().Revision == revision {
		t.Errorf("nothing is decided again: %v", err)
	}
}

// What makes no sense of a decision never gives more than what does.
func TestAbsurdDecisionsGiveNothingMore(t *testing.T) {
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	var notices []*modulev1.SwitchNotice
	for range 3 * maxSwitchNotices {
		notices = append(notices, &modulev1.SwitchNotice{Moment: modulev1.SwitchNoticeMoment_SWITCH_NOTICE_MOMENT_END, Audience: modulev1.NoticeAudience_NOTICE_AUDIENCE_SUBJECT, TextKey: "item"})
	}
	r.switches = oddDecider{answer: &modulev1.DecideResponse{
		Allowed: true, Limit: durationpb.New(math.MaxInt64), PasswordWithin: durationpb.New(-time.Hour), Mode: -7, Notices: append([]*modulev1.SwitchNotice{
			{Moment: 1, Audience: 1, TextKey: "notice_subject"}, {Moment: 1, Audience: 1, TextKey: "item", Page: "/nowhere"}, {TextKey: "item"},
		}, notices...),
	}}
	d, err := s.m.DecideSwitch(t.Context(), crm.SwitchQuestion{})
	if err != nil || d.PasswordWithin <= 0 || d.PasswordWithin > time.Second || d.Mode != crm.ReadOnly || len(d.Notices) != maxSwitchNotices {
		t.Errorf("%+v %v", d, err)
	}
	for _, n := range d.Notices {
		if n.TextKey != "item" || n.Module != "sample" {
			t.Errorf("is told: %+v", n)
		}
	}
	r.switches = oddDecider{answer: &modulev1.DecideResponse{Allowed: true, Limit: durationpb.New(math.MaxInt64), Mode: modulev1.SwitchMode_SWITCH_MODE_FULL}}
	s.ann.Become("jane@acme.example")
	if w := s.ann.Who().Switch; !w.ExpiresAt.Equal(w.StartedAt.Add(12 * time.Hour)) {
		t.Errorf("292 years were given until %s", w.ExpiresAt)
	}
}
