package hosttest

import (
	"fmt"
	"strings"
	"testing"
)

// fakeTB is a test that is expected to fail: it notes what would have been reported.
type fakeTB struct {
	testing.TB
	ended    string
	messages []string
}

// watch runs story as a test of its own and returns how it ended.
func watch(t *testing.T, story func(t testing.TB)) *fakeTB {
	t.Helper()
	fake := &fakeTB{TB: t, ended: "passed"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if cause := recover(); cause != nil && cause != any(storyEnd{}) {
				panic(cause)
			}
		}()
		story(fake)
	}()
	<-done
	return fake
}

// storyEnd unwinds a story that Fatalf or Skipf ended.
type storyEnd struct{}

func (f *fakeTB) Helper() {}

func (f *fakeTB) end(how, message string) {
	f.ended = how
	f.messages = append(f.messages, message)
	panic(storyEnd{})
}

func (f *fakeTB) Fatalf(format string, args ...any) { f.end("failed", fmt.Sprintf(format, args...)) }

func (f *fakeTB) Skipf(format string, args ...any) { f.end("skipped", fmt.Sprintf(format, args...)) }
func (f *fakeTB) said() string                     { return strings.Join(f.messages, "\n") }
