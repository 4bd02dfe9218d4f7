package store

import (
	"context"
	"testing"
)

// Whoever asks after a database has been asked in vain is told soon, until it answers again.
func TestAfterAVainAskTheNextOnesAreShort(t *testing.T) {
	t.Parallel()
	var p pulse
	if got := p.limit(t.Context()); got != statementLimit {
		t.Errorf("at first it is waited for %s", got)
	}
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	p.note(t.Context(), over, over.Err())
	if got := p.limit(t.Context()); got != probeLimit {
		t.Errorf("after a vain ask it is waited for %s", got)
	}
	if got := p.limit(Patient(t.Context())); got != probeLimit {
		t.Errorf("in the background it is waited for %s", got)
	}
	p.note(t.Context(), t.Context(), nil)
	if got := p.limit(t.Context()); got != statementLimit {
		t.Errorf("after an answer it is waited for %s", got)
	}
	if got := p.limit(Patient(t.Context())); got != patientLimit {
		t.Errorf("in the background it is waited for %s then", got)
	}
}
