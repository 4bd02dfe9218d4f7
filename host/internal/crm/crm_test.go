package crm_test

import (
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func FuzzParseAccountKey(f *testing.F) {
	for _, s := range []string{"staff:7", "contact:7", "staff:07", "staff:-1", "staff:+7", "admin:1", "staff:", ":1", "staff:9223372036854775808", "staff:7 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := crm.ParseAccountKey(s)
		if err == nil && (key.String() != s || key.ID <= 0 || (key.Kind != crm.Staff && key.Kind != crm.Contact)) {
			t.Errorf("%q was read as %v", s, key)
		}
		if err != nil && key != (crm.AccountKey{}) {
			t.Errorf("%q is refused and still %v", s, key)
		}
	})
}

func TestCheckClass(t *testing.T) {
	own := crm.Who{}
	full := crm.Who{Switch: &crm.Switch{Mode: crm.Full}}
	reading := crm.Who{Switch: &crm.Switch{Mode: crm.ReadOnly}}
	garbled := crm.Who{Switch: &crm.Switch{Mode: "?"}}
	for _, c := range []struct {
		class crm.RouteClass
		may   [4]bool // own, full, reading, garbled
	}{
		{0, [4]bool{false, false, false, false}},
		{crm.Open, [4]bool{true, true, true, true}},
		{crm.ReadRoute, [4]bool{true, true, true, true}},
		{crm.WriteRoute, [4]bool{true, true, false, false}},
		{crm.SensitiveRoute, [4]bool{true, false, false, false}},
		{99, [4]bool{false, false, false, false}},
	} {
		for i, who := range []crm.Who{own, full, reading, garbled} {
			if err := crm.CheckClass(who, c.class); (err == nil) != c.may[i] {
				t.Errorf("class %d, who %d: %v", c.class, i, err)
			}
		}
	}
}

// A reason nobody can see is none.
func TestTextNobodyCanSeeIsNone(t *testing.T) {
	for _, blank := range []string{"", " \n\t", "\u00a0", "\u00ad", "\u200c\u200d", "\u3164", "\u2800 \u2800", "\u180e", "\u2062", "\U000e0041", "\ufe0f", "\u0301"} {
		if text, err := crm.CleanText(blank, 500); err != nil || text != "" {
			t.Errorf("%q is taken as %q, %v", blank, text, err)
		}
	}
	for _, bad := range []string{"\u200b", "\ufeff", "a\u202eb", "\xff"} {
		if text, err := crm.CleanText(bad, 500); err == nil {
			t.Errorf("%q is taken as %q", bad, text)
		}
	}
	for _, good := range []string{"x", "7", "؟", "می\u200cخواهم", "👩\u200d💻", "한글", "<b>"} {
		if text, err := crm.CleanText(good, 500); err != nil || text != good {
			t.Errorf("%q is taken as %q, %v", good, text, err)
		}
	}
}

func TestNamesCantPoseAsOthers(t *testing.T) {
	for _, bad := range []string{"", "   ", "Ann\x00Lee", "Ann\u202eeeL", "\u2066Ann", strings.Repeat("x", 201), "A\x7f", "\u3164"} {
		if name, err := crm.CleanName(bad); err == nil {
			t.Errorf("%q is taken as %q", bad, name)
		}
	}
	if name, err := crm.CleanName("  Ann \t Lee "); err != nil || name != "Ann Lee" {
		t.Errorf("%q, %v", name, err)
	}
	if name, err := crm.CleanName("عمر حداد"); err != nil || name != "عمر حداد" {
		t.Errorf("an Arabic name: %q, %v", name, err)
	}
}

func TestCapabilitiesKeepTheirText(t *testing.T) {
	set := crm.ParseCapabilities("b  a/c a\n")
	if set.String() != "a a/c b" || !crm.NewCapabilities("a").Within(set) || set.Within(crm.NewCapabilities("a")) {
		t.Errorf("%q", set)
	}
	if !crm.Capabilities(nil).Within(nil) || crm.Capabilities(nil).Has("a") {
		t.Error("the empty set isn't empty")
	}
}

func TestPasswords(t *testing.T) {
	a := crm.Account{Email: "someone@example.com", Name: "Some Longer Name"}
	for password, want := range map[string]string{
		"123456789": "password_short", "1234567890": "", "SOMEONE@example.com": "password_is_name", "some longer name": "password_is_name",
		strings.Repeat("x", 257): "password_long", "ÄÖÜäöüßéèê": "",
	} {
		if got := crm.KeyOf(crm.CheckPassword(password, a)); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
}
