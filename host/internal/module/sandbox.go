package module

import (
	"os"
	"strings"
	"sync/atomic"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Level is what a module's process is held to. Each protection is named only when the kernel has
// confirmed it, before the first instruction of the module.
type Level struct {
	Files      bool `json:"files"`      // reads its own package and writes its run folder, and opens nothing else
	Network    bool `json:"network"`    // has no sockets but local ones, unless network was granted
	Sockets    bool `json:"sockets"`    // reaches no other program's local socket
	Privileges bool `json:"privileges"` // no rights beyond an ordinary program's; other processes are out of reach; starts none
	Resources  bool `json:"resources"`  // bounds of its own on memory, open files, file size and, for ordinary users, threads
	Landlock   int  `json:"landlock"`   // the kernel's version of it, 0 when it has none
	Granted    bool `json:"granted"`    // network was granted, so Network bounds nothing
}

// Names lists the protections reached, in a fixed order: the part after sandbox_ of their
// sentences' keys.
func (l Level) Names() []string {
	var names []string
	for _, p := range []struct {
		reached bool
		name    string
	}{
		{l.Files, "files"},
		{l.Network, "network"},
		{l.Sockets, "sockets"},
		{l.Privileges, "privileges"},
		{l.Resources, "resources"},
	} {
		if p.reached {
			names = append(names, p.name)
		}
	}
	return names
}

// String is for logs and the command line.
func (l Level) String() string {
	if names := l.Names(); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "no sandbox here"
}

// Requirement is the least a module's sandbox must be for the module to be started.
type Requirement string

// The requirements. What "files" asks for can't be had without the refused system calls: changing a
// file's mode, for one, is not among what Landlock sees.
const (
	RequireNothing Requirement = "none"  // whatever the machine offers
	RequireFiles   Requirement = "files" // files and privileges
	RequireFull    Requirement = "full"  // everything
)

// Reaches tells whether the level is enough. Access that was granted counts as reached.
func (l Level) Reaches(r Requirement) bool {
	switch r {
	case RequireNothing, "":
		return true
	case RequireFiles:
		return l.Files && l.Privileges
	}
	return l.Files && l.Privileges && l.Network && l.Resources && (l.Sockets || l.Granted)
}

// tooLittle refuses a start below what is required.
func tooLittle(l Level, r Requirement) *crm.Error {
	return crm.Refuse(crm.Unavailable, "module_sandbox_too_little", "Required", string(r), "Reached", l.String())
}

// enclosure says what a process may reach.
type enclosure struct {
	Program string      `json:"program"` // its path, as the process sees it
	Folder  string      `json:"folder"`  // the module's package
	Run     string      `json:"run"`     // its sockets and temporary files
	Network bool        `json:"network"` // granted
	Require Requirement `json:"require"`
	Guard   bool        `json:"guard"` // the host answers for connect
	Parent  int         `json:"parent"`
}

// launchWord is the host's argument that makes it the launcher of a module.
const launchWord = "module-launch"

// canLaunch is set once this program has shown that it knows how to be the launcher: executing one
// again that doesn't would run all of it a second time.
var canLaunch atomic.Bool

// LaunchIfAsked makes this process the launcher of a module when it was started as one, and then
// doesn't return: it confines itself and becomes the module. It must be the first statement of
// main in a program that starts modules, and of TestMain in tests that do.
func LaunchIfAsked() {
	if len(os.Args) == 3 && os.Args[1] == launchWord {
		becomeModule(os.Args[2])
	}
	canLaunch.Store(true)
}

// sandbox is what the running process is held to, nil when none runs.
func (u *unit) sandbox() *Level {
	r := u.current.Load()
	if r == nil {
		return nil
	}
	return r.process.child.level()
}

// level is known once the child is started.
func (c *child) level() *Level {
	if c.box == nil {
		return &Level{}
	}
	level := c.box.level
	return &level
}
