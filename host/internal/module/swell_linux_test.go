package module

import (
	"strings"
	"testing"
)

// Two bytes of a message can be one more item in it, which takes a hundred times as much of who reads it.
func TestAMessageOfManyPartsIsRefusedUnread(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	if err := s.enter("swollen", ""); err == nil || !strings.Contains(s.log("rogue"), "larger than max") {
		t.Errorf("described in 9 MiB: %v\n%s", err, s.log("rogue"))
	}
	s.leave()
	if err := s.enter("", ""); err != nil {
		t.Fatal(err)
	}
	if _, text, err := s.page("/swell"); err != nil || !strings.Contains(text, "bytes; 262144 are allowed") {
		t.Errorf("published in 1 MiB: %.300s %v", text, err)
	}
	s.unhurt()
}
