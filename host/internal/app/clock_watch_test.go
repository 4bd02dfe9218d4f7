package app

import (
	"strings"
	"testing"
	"time"
)

func TestTheClockWatchTellsOfJumpsForAsLongAsTheyMatter(t *testing.T) {
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	at := func(counted, set time.Duration) clockReading { return clockReading{start.Add(counted + set), counted} }
	var c clockWatch
	c.last = at(0, 0)
	for minute := range 600 { // drifts by a second an hour: no jump
		counted := time.Duration(minute) * time.Minute
		if err := c.look(at(counted, counted/3600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		var c clockWatch
		c.last = at(0, 0)
		if err := c.look(at(time.Minute, jump)); err == nil || !strings.Contains(err.Error(), jump.String()) {
			t.Errorf("a jump by %s: %v", jump, err)
		}
		if err := c.look(at(MaxSwitch, jump)); err == nil {
			t.Error("forgotten while a switch from before may still run")
		}
		if err := c.look(at(MaxSwitch+2*time.Minute, jump)); err != nil {
			t.Errorf("still told: %v", err)
		}
	}
	c.start()
	if err := c.look(c.read()); err != nil {
		t.Errorf("the machine's own: %v", err)
	}
}

// Every rule of the host's by which something about switches is recorded as refused is counted by
// its own name, not as a module's.
func TestTheHostsRulesAreCountedByName(t *testing.T) {
	for _, rule := range RefusalCodes() {
		if got := refusalCode(rule); got != rule {
			t.Errorf("%s is counted as %s", rule, got)
		}
	}
	for _, rule := range []string{"not_on_a_sunday", "", "refused_read_only\n", strings.Repeat("x", 1000)} {
		if got := refusalCode(rule); got != ModuleRefusal {
			t.Errorf("%q is counted as %s", rule, got)
		}
	}
}
