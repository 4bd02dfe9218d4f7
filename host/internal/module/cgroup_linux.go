package module

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups is where this host may make control groups for its modules' processes. nil is nowhere.
type cgroups struct {
	parents []cgroupParent
}

// cgroupParent is a group below which the host makes others.
type cgroupParent struct {
	folder string
	limits []cgroupLimit // the first must hold, or the group is of no use
	events string        // the file that counts who was ended for want of memory
}

type cgroupLimit struct{ file, value string }

// cgroup is the group of one process: a folder in each tree that counts something of it.
type cgroup struct {
	name    string
	folders []string
	open    []*os.File // their doors, until the process is started
	events  string
}

// The limits in both versions of control groups. Without swap, memory means memory.
var (
	bytesMax = strconv.Itoa(maxMemory)
	tasksMax = strconv.Itoa(maxTasks)

	memoryLimits  = []cgroupLimit{{"memory.limit_in_bytes", bytesMax}, {"memory.memsw.limit_in_bytes", bytesMax}}
	tasksLimits   = []cgroupLimit{{"pids.max", tasksMax}}
	unifiedLimits = []cgroupLimit{{"memory.max", bytesMax}, {"memory.swap.max", "0"}, {"memory.oom.group", "1"}, {"pids.max", tasksMax}}
)

// findCgroups looks for a place, tries it, and clears away what hosts that are gone left there.
func findCgroups() *cgroups {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	own, err2 := os.ReadFile("/proc/self/cgroup")
	if err != nil || err2 != nil {
		return nil
	}
	tree := cgroupTree{mounts: string(mounts), own: string(own), delegated: delegated}
	for _, find := range []func() []cgroupParent{tree.unified, tree.separate} {
		g := &cgroups{parents: find()}
		g.sweep()
		if trial := g.make("trial"); trial != nil {
			trial.started()
			trial.remove()
			return g
		}
	}
	return nil
}

// cgroupTree is what the kernel says of its trees of groups and of the host's place in each.
type cgroupTree struct {
	mounts, own string
	delegated   func(folder string) bool
}

// separate finds the host's own groups in the first version, with a tree for each kind of resource.
// There a group may hold processes and groups, so the host makes them right below its own.
func (t cgroupTree) separate() []cgroupParent {
	memory := t.place("memory")
	if memory == "" {
		return nil
	}
	parents := []cgroupParent{{memory, memoryLimits, "memory.oom_control"}}
	if tasks := t.place("pids"); tasks != "" {
		parents = append(parents, cgroupParent{tasks, tasksLimits, ""})
	}
	return parents
}

// unified finds the group the host was given in the second version, with one tree for everything.
// There a group whose processes are counted by its parts must hold none itself, so the host has to
// stand in a part of its own. It moves there only within a group that was handed to it, by systemd's
// Delegate=yes, and only when it is alone in it: whatever else there is, others rely on.
func (t cgroupTree) unified() []cgroupParent {
	own := t.place("")
	if own == "" {
		return nil
	}
	for _, folder := range []string{own, filepath.Dir(own)} { // with DelegateSubgroup= it is the one above
		if !t.delegated(folder) || !slices.Contains(cgroupWords(folder, "cgroup.controllers"), "memory") {
			continue
		}
		if folder == own && !stepAside(folder) {
			return nil
		}
		for _, controller := range []string{"+memory", "+pids"} {
			if err := writeCgroup(folder, "cgroup.subtree_control", controller); err != nil && controller == "+memory" {
				return nil
			}
		}
		return []cgroupParent{{folder, unifiedLimits, "memory.events"}}
	}
	return nil
}

// stepAside moves the host, when it is alone in a group, to a part of it.
func stepAside(folder string) bool {
	self := strconv.Itoa(os.Getpid())
	if members := cgroupWords(folder, "cgroup.procs"); len(members) != 1 || members[0] != self {
		return false
	}
	aside := filepath.Join(folder, "host")
	if err := os.Mkdir(aside, 0o755); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // G301: as all of the kernel's
		return false
	}
	return writeCgroup(aside, "cgroup.procs", self) == nil
}

// delegated tells whether a group of the second version was handed over. Systemd marks such ones;
// what it doesn't mark is its own, whoever may write there. Where there is none, a group whose files
// an ordinary user may write is that user's.
func delegated(folder string) bool {
	mark := make([]byte, 8)
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		if n, err := unix.Getxattr(folder, name, mark); err == nil && string(mark[:n]) == "1" {
			return true
		}
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil || os.Geteuid() == 0 {
		return false
	}
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if unix.Access(filepath.Join(folder, name), unix.W_OK) != nil {
			return false
		}
	}
	return true
}

// place is the folder of the host's own group, empty when it isn't to be seen from here. No
// controller means the second version's tree.
func (t cgroupTree) place(controller string) string {
	path, known := t.ownPath(controller)
	for line := range strings.Lines(t.mounts) {
		before, after, _ := strings.Cut(strings.TrimSpace(line), " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if !known || len(where) < 5 || len(what) < 3 {
			continue
		}
		isTree := what[0] == "cgroup2" && controller == "" ||
			what[0] == "cgroup" && controller != "" && slices.Contains(strings.Split(what[2], ","), controller)
		// In a container the tree may be shown from some group on.
		inside, below := strings.CutPrefix(path, strings.TrimSuffix(where[3], "/"))
		if isTree && below && filepath.IsLocal("."+inside) && (inside == "" || inside[0] == '/') {
			return filepath.Join(where[4], inside)
		}
	}
	return ""
}

// ownPath is the host's group as the kernel names it: lines of number, controllers and path.
func (t cgroupTree) ownPath(controller string) (string, bool) {
	for line := range strings.Lines(t.own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && (parts[0] == "0") == (controller == "") && slices.Contains(strings.Split(parts[1], ","), controller) {
			return parts[2], true
		}
	}
	return "", false
}

const cgroupPrefix = "understudy-"

// make makes a group for a module's process, nil when none can be had. Who gets one either starts a
// process with it or removes it.
func (g *cgroups) make(id string) *cgroup {
	if g == nil {
		return nil
	}
	c := &cgroup{name: cgroupPrefix + strconv.Itoa(os.Getpid()) + "-" + id + "-" + randomName()}
	for i, p := range g.parents {
		if err := c.add(p); err != nil && i == 0 {
			c.started()
			c.remove()
			return nil
		}
	}
	if len(c.folders) == 0 {
		return nil
	}
	return c
}

// add makes the group's folder in one tree, with its limits.
func (c *cgroup) add(p cgroupParent) error {
	folder := filepath.Join(p.folder, c.name)
	if err := os.Mkdir(folder, 0o755); err != nil { //nolint:gosec // G301: as all of the kernel's
		return err
	}
	c.folders = append(c.folders, folder)
	for i, l := range p.limits {
		if err := writeCgroup(folder, l.file, l.value); err != nil && i == 0 {
			return err
		}
	}
	door, err := os.OpenFile(filepath.Join(folder, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	c.open = append(c.open, door)
	if p.events != "" {
		c.events = filepath.Join(folder, p.events)
	}
	return nil
}

// title is the group's name, empty for none.
func (c *cgroup) title() string {
	if c == nil {
		return ""
	}
	return c.name
}

// doors are the files by which a process joins.
func (c *cgroup) doors() []*os.File {
	if c == nil {
		return nil
	}
	return c.open
}

// started gives up what the process has by now.
func (c *cgroup) started() {
	if c == nil {
		return
	}
	for _, door := range c.open {
		_ = door.Close()
	}
	c.open = nil
}

// sated tells whether the kernel has ended a process of the group for want of memory.
func (c *cgroup) sated() bool {
	if c == nil {
		return false
	}
	text, err := os.ReadFile(c.events)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if count, is := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); is {
			return count != "0"
		}
	}
	return false
}

// remove takes the group away once its processes have ended. They may need a moment to be gone.
func (c *cgroup) remove() {
	if c == nil {
		return
	}
	for _, folder := range c.folders {
		for wait := time.Millisecond; errors.Is(unix.Rmdir(folder), unix.EBUSY) && wait < 200*time.Millisecond; wait *= 2 {
			time.Sleep(wait)
		}
	}
}

// sweep removes groups of hosts that are gone. One that still has a process stays.
func (g *cgroups) sweep() {
	for _, p := range g.parents {
		names, err := filepath.Glob(filepath.Join(p.folder, cgroupPrefix+"*"))
		if err != nil {
			continue
		}
		for _, name := range names {
			owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(name), cgroupPrefix), "-")
			if pid, err := strconv.Atoi(owner); err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				_ = unix.Rmdir(name)
			}
		}
	}
}

// writeCgroup writes one of the kernel's files; it makes none.
func writeCgroup(folder, name, value string) error {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func cgroupWords(folder, name string) []string {
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}
