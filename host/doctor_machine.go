package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/module"
)

// Below these a disk is about to be full.
const (
	littleDisk = 1 << 30
	noDisk     = 100 << 20
	fewFiles   = 1000
)

// checkFolders looks at the folders that serve reads and writes.
func (c *doctorCommand) checkFolders(d *doctor) {
	data := c.checkFolder(d, "data", c.Data, "--data")
	if data.There && !data.Private {
		d.warn("data", "chmod 700 "+data.Path, "others on this machine may look into %s: it holds everything", data.Path)
	}
	if data.Remote != "" && c.Database == "" {
		d.fail("data", "put the data folder on a disk of this machine, or use PostgreSQL (--database)", "%s is on %s, where SQLite's file can be damaged", data.Path, data.Remote)
	}
	modules := c.checkFolder(d, "modules", c.Modules, "--modules")
	if modules.NoExec {
		d.fail("modules", "remount it without noexec, or choose another folder with --modules", "%s is on a file system that runs no programs", modules.Path)
	}
	run := filepath.Join(c.Data, "run")
	if module.FitsSockets(run) {
		d.ok("run", "%s is short enough for sockets", run)
	} else {
		d.ok("run", "%s is too long for sockets: the host uses a folder in %s instead", run, shortTemp())
	}
	if serves(c.Data) {
		d.ok("data", "a server runs on %s", data.Path)
	}
	d.starts(c.journal(), serves(c.Data))
}

// starts reads what the host leaves while modules come up: it is gone once they have stood for a while.
func (d *doctor) starts(journal string, running bool) {
	starts, starting, err := module.FailedStarts(journal)
	switch {
	case err == nil && starts == 0:
	case err != nil:
		d.warn("modules", "remove it when no server runs", "%s can't be read, which tells of failed starts", journal)
	case running && starts <= 1:
		d.ok("modules", "the server has just started")
	default:
		d.warn("modules", "look at the modules below; understudy serve --safe-mode starts none of them", "%d starts in a row died while modules came up, the last with: %s", starts, cmp.Or(strings.Join(starting, ", "), "none of them on its way"))
	}
}

func (c *doctorCommand) checkFolder(d *doctor, area, path, flag string) module.FolderFacts {
	f := module.FolderAt(path)
	switch {
	case !f.Writable && f.There:
		d.fail(area, fmt.Sprintf("run as the user it belongs to, chown it, or choose another with %s", flag), "%s can't be written by user %d", f.Path, os.Geteuid())
	case !f.Writable:
		d.fail(area, fmt.Sprintf("make it, for the user who serves, or choose another with %s", flag), "%s isn't there, and can't be made by user %d", f.Path, os.Geteuid())
	case f.Owner > 0 && os.Geteuid() == 0:
		d.warn(area, fmt.Sprintf("run the doctor as that user: setpriv --reuid=%d --clear-groups understudy doctor …", f.Owner), "you are root, and %s belongs to user %d: what that one may, isn't seen", f.Path, f.Owner)
	case !f.There:
		d.ok(area, "%s isn't there yet; understudy serve makes it", f.Path)
	default:
		d.ok(area, "%s can be written", f.Path)
	}
	room := "make room, or choose another disk with " + flag
	switch {
	case !f.Known:
	case f.Free < noDisk:
		d.fail(area, room, "%s free at %s", amount(f.Free), f.Path)
	case f.Free < littleDisk:
		d.warn(area, room, "%s free at %s", amount(f.Free), f.Path)
	case f.FreeFiles < fewFiles:
		d.warn(area, room, "only %d files more can be made at %s", f.FreeFiles, f.Path)
	default:
		d.ok(area, "%s free at %s", amount(f.Free), f.Path)
	}
	return f
}

// checkMachine looks at what the kernel offers to hold modules to.
func (c *doctorCommand) checkMachine(d *doctor) {
	m := module.ThisMachine()
	most := m.Most()
	if !most.Reaches(module.Requirement(c.RequireSandbox)) {
		d.fail("machine", "use a kernel that has what is missing, or require less", "--modules.require_sandbox is %s and this machine offers %s: no module will start", c.RequireSandbox, most)
	}
	d.kernel(m)
	if m.Root {
		d.warn("machine", "run the CRM as a user of its own", "this is root: modules have no bound on threads")
	}
	const few = 4096
	if m.OpenFiles > 0 && m.OpenFiles < few {
		d.warn("machine", "raise it: ulimit -n, or LimitNOFILE= of the unit", "the host may have %d files open; each visitor and each module takes some", m.OpenFiles)
	}
	switch {
	case !m.ClockKnown:
		d.ok("clock", "how it is set isn't known")
	case m.ClockSet:
		d.ok("clock", "something sets it")
	default:
		d.warn("clock", "let something set it: timedatectl set-ntp true, or chrony", "nothing sets this machine's clock: time limits and records go by it")
	}
}

func (d *doctor) kernel(m module.Machine) {
	if m.Landlock == 0 && !m.Seccomp {
		d.warn("machine", "install only modules you trust, or run on Linux 6.2 or later", "%s: modules run without a sandbox", m.Platform)
		return
	}
	const boundsTruncating = 3
	switch {
	case m.Landlock == 0:
		d.warn("machine", "use a kernel with Landlock (5.13 or later, in the list of lsm=)", "no Landlock: modules aren't held to their folders")
	case m.Landlock < boundsTruncating:
		d.warn("machine", "use Linux 6.2 or later", "Landlock version %d: truncating by path is refused by other means", m.Landlock)
	default:
		d.ok("machine", "Landlock version %d", m.Landlock)
	}
	switch {
	case !m.Seccomp:
		d.warn("machine", "use a kernel with seccomp filters", "no seccomp: modules have network and may signal others")
	case !m.Answers:
		d.warn("machine", "use Linux 5.9 or later, with kernel.yama.ptrace_scope at most 1", "the host can't answer modules' calls: they may reach other programs' local sockets")
	default:
		d.ok("machine", "seccomp, answered by the host")
	}
	if m.Groups == "" {
		d.ok("machine", "no control groups from here: modules' memory is bounded less exactly. Under systemd, Delegate=yes gives them")
	} else {
		d.ok("machine", "control groups in %s", m.Groups)
	}
}
