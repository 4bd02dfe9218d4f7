// Package launcher turns a process of the host's own executable into a module's: it confines the
// process, says how far it got, and executes the module. It is imported for that and for the words
// both sides speak.
//
// It must import next to nothing. Go prepares packages in the order of what they need, and then of
// their names: with so few needs this one's turn comes before nearly all, so a launcher is done
// before the database, gRPC and the templates are made ready for a host it will never be. That is
// most of what a start would cost.
package launcher

import (
	"errors"
	"strconv"
	"strings"
)

// Word is the first argument of a process that is to become a module.
const Word = "module-launch"

// The files a launcher is given, after the three standard ones: the module's executable, a socket
// of type seqpacket for its reports, and from GroupFile on the doors of the control groups that it
// is to join.
const (
	ExecutableFile = 3
	ReportFile     = 4
	GroupFile      = 5
)

// Level is what a module's process is held to. Each protection is named only when the kernel has
// confirmed it, before the first instruction of the module.
type Level struct {
	Files      bool // reads its own package and writes its run folder, and opens nothing else
	Network    bool // has no sockets but local ones, unless network was granted
	Sockets    bool // reaches no other program's local socket
	Privileges bool // no rights beyond an ordinary program's; other processes are out of reach; starts none
	Resources  bool // bounds of its own on address space, open files, file size and, for ordinary users, threads
	Memory     bool // a bound on all the memory it takes, counted by the kernel in a control group
	Granted    bool // network was granted, so Network bounds nothing
	Landlock   int  // the kernel's version of it, 0 when it has none
}

// Names lists the protections reached, in a fixed order: the part after sandbox_ of their
// sentences' keys.
func (l Level) Names() []string {
	var names []string
	for i, reached := range []bool{l.Files, l.Network, l.Sockets, l.Privileges, l.Resources, l.Memory} {
		if reached {
			names = append(names, []string{"files", "network", "sockets", "privileges", "resources", "memory"}[i])
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
	RequireFull    Requirement = "full"  // everything but Memory: few machines hand out control groups, and Resources bounds memory, too
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

// Enclosure says what a process may reach.
type Enclosure struct {
	Program string      // its path, as the process sees it
	Folder  string      // the module's package
	Run     string      // its sockets and temporary files
	Network bool        // granted
	Require Requirement // below it, the process ends before the module runs
	Guard   bool        // the host answers for connect
	Parent  int         // the host's process id
	Group   string      // the name of the control groups to join, empty for none
	Doors   int         // how many they are: files from GroupFile on
}

// Args are a launcher's arguments, its own name aside.
func (e Enclosure) Args() []string {
	return []string{
		Word, e.Program, e.Folder, e.Run, strconv.FormatBool(e.Network), string(e.Require), strconv.FormatBool(e.Guard), strconv.Itoa(e.Parent),
		e.Group, strconv.Itoa(e.Doors),
	}
}

// parse reads what Args made.
func parse(args []string) (e Enclosure, err error) {
	if len(args) != len(e.Args()) {
		return e, errors.New("the host starts this by itself")
	}
	e = Enclosure{Program: args[1], Folder: args[2], Run: args[3], Network: args[4] == "true", Require: Requirement(args[5]), Guard: args[6] == "true", Group: args[8]}
	if e.Parent, err = strconv.Atoi(args[7]); err == nil {
		e.Doors, err = strconv.Atoi(args[9])
	}
	return e, err
}

// Report is what the launcher says: first the level, then, only when it could not become the
// module, why.
type Report struct {
	Level     Level
	Refused   bool // the level is below what is required
	NoProgram bool // the problem: the executable can't be executed
	Problem   string
}

// flags are the report's yes and no, in the order they are told.
func (r *Report) flags() []*bool {
	l := &r.Level
	return []*bool{&l.Files, &l.Network, &l.Sockets, &l.Privileges, &l.Resources, &l.Memory, &l.Granted, &r.Refused, &r.NoProgram}
}

// Text is the report as it is told.
func (r Report) Text() string {
	var text strings.Builder
	for _, flag := range r.flags() {
		text.WriteString(strconv.FormatBool(*flag) + " ")
	}
	return text.String() + strconv.Itoa(r.Level.Landlock) + " " + r.Problem
}

// ReadReport reads what Text made.
func ReadReport(text string) (r Report, err error) {
	flags := r.flags()
	words := strings.SplitN(text, " ", len(flags)+2)
	if len(words) != len(flags)+2 {
		return r, errors.New("the launcher said something else than a report")
	}
	for i, flag := range flags {
		*flag = words[i] == "true"
	}
	r.Problem = words[len(flags)+1]
	r.Level.Landlock, err = strconv.Atoi(words[len(flags)])
	return r, err
}
