package module

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAStartThatTheSandboxRefusesIsOnRecord(t *testing.T) {
	t.Parallel()
	if os.Getenv(withoutLandlock) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
		cmd.Env = append(os.Environ(), withoutLandlock+"=1")
		if said, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(said), "--- PASS") {
			t.Errorf("without Landlock: %v\n%s", err, said)
		}
		return
	}
	takeLandlock(t)
	s := newStage(t, nil)
	s.m.requireSandbox = RequireFiles
	m := s.install(kit{})
	s.tells(told{
		name: "kept in too weak a sandbox", do: func() error { return s.m.Activate(t.Context(), s.ann.Who(), "sample") }, fails: true,
		action: "module_step_failed", detail: map[string]string{"version": "1.0.0", "sha256": m.SHA256, "signer": "nobody", "result": "module_sandbox_too_little", "step": "activate"},
	})
}
