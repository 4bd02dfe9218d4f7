package module

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// What is proved of control groups depends on what the machine lets its programs have, so the test
// asks it first, and says so.
func TestAModuleThatTakesTooMuchMemoryIsEndedByTheKernel(t *testing.T) {
	needSandbox(t)
	s := newStage(t, nil)
	counted := s.m.groups() != nil
	t.Logf("this machine counts a module's memory in a control group: %v", counted)
	s.active(kit{})
	level := s.row("sample").Sandbox
	if level == nil || level.Memory != counted || slices.Contains(level.Names(), "memory") != counted {
		t.Errorf("the row says %v", level)
	}
	if counted {
		s.checkGroup()
	}
	before := s.pid("sample")
	_, _, err := s.tryAsk("GET", "/eat", "")
	if crm.KindOf(err) != crm.Unavailable {
		t.Errorf("a page of a module that has died: %v", err)
	}
	row := s.crashed(before)
	// Without a group the limit on its address space ends it, by Go's own complaint.
	want, logged := "module_crashed_exit", "exit code 2"
	if counted {
		want, logged = "module_crashed_memory", "killed by SIGKILL, out of memory: it may take 512 MB"
	}
	if row.Key != want {
		t.Errorf("it ended as %s, want %s", row.Key, want)
	}
	s.logHas(logged)
	eventually(t, "it is back", func() bool { _, err := s.m.active("sample"); return err == nil })
	s.stop()
	if left := s.groupsLeft(); len(left) > 0 {
		t.Errorf("groups are left: %v", left)
	}
}

// checkGroup looks at a running module's group with the kernel's own eyes.
func (s *stage) checkGroup() {
	s.t.Helper()
	pid := s.pid("sample")
	r, err := s.m.active("sample")
	if err != nil {
		s.t.Fatal(err)
	}
	group := r.process.child.group
	for _, folder := range group.folders {
		if !slices.Contains(cgroupWords(folder, "cgroup.procs"), strconv.Itoa(pid)) {
			s.t.Errorf("%s does not hold process %d", folder, pid)
		}
	}
	limit := slices.Concat(cgroupWords(group.folders[0], "memory.max"), cgroupWords(group.folders[0], "memory.limit_in_bytes"))
	if len(limit) != 1 || limit[0] != bytesMax {
		s.t.Errorf("the limit is %v", limit)
	}
	if own, _ := os.ReadFile("/proc/self/cgroup"); strings.Contains(string(own), cgroupPrefix) {
		s.t.Errorf("the host stands in a module's group: %s", own)
	}
}

// groupsLeft lists the groups this process has made and not removed.
func (s *stage) groupsLeft() []string {
	var left []string
	if g := s.m.groups(); g != nil {
		for _, p := range g.parents {
			found, _ := filepath.Glob(filepath.Join(p.folder, fmt.Sprintf("%s%d-*", cgroupPrefix, os.Getpid())))
			left = append(left, found...)
		}
	}
	return left
}

// crashed waits until the process with this number has ended, and says how the row tells of it.
func (s *stage) crashed(pid int) *crm.Error {
	s.t.Helper()
	var problem *crm.Error
	eventually(s.t, "its end is on the row", func() bool {
		row := s.row("sample")
		if row.Problem != nil {
			problem = row.Problem
		}
		r, err := s.m.active("sample")
		return problem != nil && (err != nil || r.process.child.ID() != strconv.Itoa(pid))
	})
	return problem
}

// logHas waits until the module's log, as an administrator reads it, says something.
func (s *stage) logHas(text string) {
	s.t.Helper()
	eventually(s.t, "its log says "+text, func() bool { return strings.Contains(s.log("sample"), text) })
}

// log is all a module's log says, newest first.
func (s *stage) log(id string) string {
	s.t.Helper()
	page, err := s.m.Log(s.t.Context(), s.ann.Who(), id, crm.Query{Limit: 500})
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for _, line := range page.Rows {
		all.WriteString(line.Level + " " + line.Text + "\n")
	}
	return all.String()
}

func TestGroupsOfDeadHostsAreSweptAway(t *testing.T) {
	folder := t.TempDir()
	g := &cgroups{parents: []cgroupParent{{folder: folder}}}
	own, dead, other := fmt.Sprintf("understudy-%d-sample-0a", os.Getpid()), "understudy-4194999-sample-0b", "somebody-elses"
	for _, name := range []string{own, dead, other} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g.sweep()
	var left []string
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if err != nil || !slices.Equal(left, []string{other, own}) {
		t.Errorf("left: %v, %v", left, err)
	}
}

// Where groups may be made is decided from what the kernel says; the trees here are made by hand.
func TestWhereControlGroupsAreMade(t *testing.T) {
	const unified = "30 29 0:27 / %s rw - cgroup2 cgroup2 rw\n"
	const memory = "31 29 0:28 / %s rw - cgroup cgroup rw,memory\n"
	const shown = "31 29 0:28 /docker/abc %s rw - cgroup cgroup rw,cpu,memory\n"
	self := strconv.Itoa(os.Getpid())
	for name, c := range map[string]struct {
		mounts, own string
		delegated   string            // the folder that was handed over
		files       map[string]string // below the mount
		unified     string            // where groups are made in the second version, "-" nowhere
		separate    string            // and in the first
		moved       bool
	}{
		"handed over, the host alone in it": {
			mounts: unified, own: "0::/system.slice/understudy.service\n", delegated: "system.slice/understudy.service",
			files:   map[string]string{"cgroup.controllers": "cpu memory pids", "cgroup.subtree_control": "", "cgroup.procs": self, "host/cgroup.procs": ""},
			unified: "system.slice/understudy.service", separate: "-", moved: true,
		},
		"handed over, the host in a part of it": {
			mounts: unified, own: "0::/system.slice/understudy.service/main\n", delegated: "system.slice/understudy.service",
			files:   map[string]string{"cgroup.controllers": "memory", "cgroup.subtree_control": "", "cgroup.procs": ""},
			unified: "system.slice/understudy.service", separate: "-",
		},
		"handed over, others in it": {
			mounts: unified, own: "0::/app\n", delegated: "app",
			files:   map[string]string{"cgroup.controllers": "memory", "cgroup.subtree_control": "", "cgroup.procs": "1\n" + self},
			unified: "-", separate: "-",
		},
		"handed over without memory": {
			mounts: unified, own: "0::/app\n", delegated: "app",
			files:   map[string]string{"cgroup.controllers": "cpu", "cgroup.subtree_control": "", "cgroup.procs": self, "host/cgroup.procs": ""},
			unified: "-", separate: "-",
		},
		"not handed over": {
			mounts: unified, own: "0::/app\n", files: map[string]string{"cgroup.controllers": "memory", "cgroup.subtree_control": "", "cgroup.procs": self},
			unified: "-", separate: "-",
		},
		"first version":              {mounts: memory, own: "4:memory:/app\n0::/\n", unified: "-", separate: "app"},
		"first version, at its root": {mounts: memory, own: "4:memory:/\n", unified: "-", separate: "."},
		"in a container":             {mounts: shown, own: "4:cpu,memory:/docker/abc/app\n", unified: "-", separate: "app"},
		"in another container":       {mounts: shown, own: "4:cpu,memory:/docker/abcdef\n", unified: "-", separate: "-"},
		"above what is shown":        {mounts: memory, own: "4:memory:/../..\n", unified: "-", separate: "-"},
		"nothing of the kind":        {mounts: "", own: "", unified: "-", separate: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			mount := t.TempDir()
			folder := filepath.Join(mount, c.delegated)
			for file, text := range c.files {
				if c.delegated == "" {
					file = "app/" + file
				}
				path := filepath.Join(folder, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			mounts := c.mounts
			if mounts != "" {
				mounts = fmt.Sprintf(mounts, mount)
			}
			tree := cgroupTree{mounts: mounts, own: c.own, delegated: func(f string) bool { return c.delegated != "" && f == folder }}
			for kind, got := range map[string][]cgroupParent{c.unified: tree.unified(), c.separate: tree.separate()} {
				switch {
				case kind == "-" && len(got) > 0:
					t.Errorf("groups would be made at %v", got)
				case kind != "-" && (len(got) == 0 || got[0].folder != filepath.Join(mount, kind)):
					t.Errorf("groups would be made at %v, want %s", got, kind)
				}
			}
			joined, _ := os.ReadFile(filepath.Join(folder, "host/cgroup.procs"))
			if moved := string(joined) == self; moved != c.moved {
				t.Errorf("the host moved: %v", moved)
			}
			if enabled, _ := os.ReadFile(filepath.Join(folder, "cgroup.subtree_control")); (c.unified != "-") != strings.Contains(string(enabled), "+") {
				t.Errorf("controllers: %q", enabled)
			}
		})
	}
}
