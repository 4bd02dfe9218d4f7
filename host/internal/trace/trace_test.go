package trace

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestALineSaysWhichRequestItComesFrom(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(LogHandler(slog.NewTextHandler(&out, nil)))
	r := &Request{Client: crm.Client{RequestID: "r1"}}
	ctx := With(t.Context(), r)
	line := func() string {
		out.Reset()
		log.With("module", "sample").InfoContext(ctx, "done")
		return out.String()
	}
	if got := line(); !strings.Contains(got, "module=sample request=r1\n") {
		t.Error(got)
	}
	ann, jane := crm.AccountKey{Kind: crm.Staff, ID: 1}, crm.AccountKey{Kind: crm.Contact, ID: 7}
	r.SetWho(crm.Who{Actor: crm.Account{Key: ann}, Subject: crm.Account{Key: jane}, Session: crm.Session{ID: 3, Actor: ann, Subject: jane, SwitchID: 5}})
	if got := line(); !strings.Contains(got, "request=r1 actor=staff:1 subject=contact:7 switch=5\n") {
		t.Error(got)
	}
	r.SetWho(crm.Who{}) // nobody is no news
	if got := line(); !strings.Contains(got, "actor=staff:1") {
		t.Error(got)
	}
	out.Reset()
	if log.Info("nobody's"); strings.Contains(out.String(), "request=") {
		t.Error(out.String())
	}
}

func TestWhereNobodyCollectsNothingIsMade(t *testing.T) {
	var none *Collector
	ctx, span := none.Request(t.Context(), "GET /", "", "")
	if span.On() || ctx != t.Context() || none.Close(ctx) != nil {
		t.Error("a collector that isn't there measures")
	}
	allocations := testing.AllocsPerRun(100, func() {
		_, span := Start(ctx, "step")
		span.Set("key", "value")
		span.End(nil)
	})
	if allocations > 0 {
		t.Errorf("%v allocations for nothing", allocations)
	}
}

func TestATraceparentIsReadToTheLetter(t *testing.T) {
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if id, span, ok := ParseParent(good); !ok || id[0] != 0x4b || span[7] != 0xb7 {
		t.Errorf("%x %x %v", id, span, ok)
	}
	for _, bad := range []string{"", good + "-", good[:54], "01" + good[2:], strings.Replace(good, "4bf9", "zzzz", 1), "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"} {
		if _, _, ok := ParseParent(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}
