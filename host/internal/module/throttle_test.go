package module

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestAModuleThatPrintsWithoutEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		began := time.Now()
		line := append(bytes.Repeat([]byte("x"), 923), '\n') // with its cost 1 KiB
		for range printedAtOnce >> 10 {
			th.took(line)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("what is usual took %v", took)
		}
		for range 10 * printedPerSecond >> 10 {
			th.took(line)
		}
		if took := time.Since(began).Round(time.Second); took != 10*time.Second {
			t.Errorf("what is worth 10 s took %v", took)
		}
	})
}

func TestAModuleThatAsksWithoutEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		began := time.Now()
		for range askedAtOnce + 10*askedPerSecond {
			th.asked(0)
		}
		if took := time.Since(began).Round(time.Second); took != 10*time.Second {
			t.Errorf("what is worth 10 s took %v", took)
		}
	})
}

func TestAHogYieldsAndABusyModuleDoesNot(t *testing.T) {
	var l load
	at, spent, yields := time.Now(), time.Duration(0), 0
	second := func(used time.Duration) bool {
		at, spent = at.Add(time.Second), spent+used
		return l.curb(at, spent, func() error { yields++; return nil })
	}
	for i, used := range []int{0, 900, 100, 900, 100, 300} {
		if second(time.Duration(used) * time.Millisecond) {
			t.Errorf("it yields after a moment's work, in second %d", i)
		}
	}
	if second(900*time.Millisecond) || !second(900*time.Millisecond) || second(900*time.Millisecond) || yields != 1 {
		t.Errorf("it yielded %d times", yields)
	}
}
