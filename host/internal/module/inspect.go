package module

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Inspected is what there is to say of an installed module without starting it.
type Inspected struct {
	Module   crm.Module
	Problem  error // why it could not run here, nil when it could
	Failure  error // why it failed last, nil when it didn't
	Unpacked bool  // its folder is there and holds what the package brought
	Changed  bool  // it is there, and holds something else
	Folder   string
}

// Inspect looks at each installed module: whether its package is in the database and is what it was,
// fits this host and machine, and stands unpacked. It changes nothing.
func (m *Manager) Inspect(ctx context.Context) ([]Inspected, error) {
	rows, err := m.app.Modules(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Inspected, len(rows))
	for i, row := range rows {
		list[i] = m.inspect(ctx, row)
	}
	return list, nil
}

func (m *Manager) inspect(ctx context.Context, row crm.Module) Inspected {
	e := Inspected{Module: row, Folder: filepath.Join(m.shelf.path, row.ID, m.folderOf(row))}
	if row.Failure != "" {
		e.Failure = decodeProblem(row.Failure)
	}
	zip, err := m.app.ModulePackage(ctx, row.SHA256)
	if err != nil {
		e.Problem = packageMissing(row, err)
		return e
	}
	b, err := readBundle(row.ID+".zip", zip)
	if err == nil && (b.sha256 != row.SHA256 || b.manifest.ID != row.ID || b.manifest.Version != row.Version) {
		err = errors.New("it is another one")
	}
	if err != nil {
		e.Problem = packageMissing(row, err)
		return e
	}
	if e.Problem = b.checkKept(row); e.Problem != nil {
		return e
	}
	if problems := m.unfit(b.manifest); len(problems) > 0 {
		e.Problem = &problems[0]
		return e
	}
	_, e.Unpacked = m.shelf.find(b)
	e.Changed = !e.Unpacked && m.shelf.has(row.ID, filepath.Base(e.Folder))
	return e
}

// Machine is what this machine offers to a host of modules.
type Machine struct {
	Platform  string
	Landlock  int    // the kernel's version of it, 0 for none
	Seccomp   bool   // it filters system calls
	Answers   bool   // and lets the host answer for some
	Groups    string // where the host may make control groups that count memory, empty for nowhere
	Root      bool
	OpenFiles uint64 // that the host may have, 0 when that isn't known
	// ClockKnown tells whether the system says how its clock is; ClockSet, that something sets it.
	ClockKnown, ClockSet bool
}

// Most is the most this machine can hold a module to.
func (m Machine) Most() Level {
	files := m.Landlock > 0
	return Level{Files: files, Network: m.Seccomp, Sockets: m.Seccomp && m.Answers, Privileges: m.Seccomp, Resources: m.Seccomp, Memory: m.Groups != "", Landlock: m.Landlock}
}

// FolderFacts are what there is to say of a folder without touching it.
type FolderFacts struct {
	Path      string
	There     bool
	Writable  bool
	NoExec    bool   // its file system runs no programs
	Remote    string // the network file system it is on, empty for none
	Private   bool   // nobody else on this machine may look into it
	Owner     int    // user id, -1 when it isn't known
	Free      uint64 // bytes, 0 when it isn't known
	FreeFiles uint64 // that can be made, 0 when it isn't known
	Known     bool   // whether all of this could be found out
}

// FolderAt looks at a folder, or where it isn't there at the nearest one above that is.
func FolderAt(path string) FolderFacts {
	path, err := filepath.Abs(path)
	if err != nil {
		return FolderFacts{Path: path, Owner: -1}
	}
	f := folderFacts(path)
	for at := path; !f.There; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || filepath.Dir(at) == at {
			above := folderFacts(at)
			above.Path, above.There, above.Private, above.Owner = path, false, false, -1
			return above // of a file, nothing can be made below it
		}
	}
	return f
}

// clockLag is how old a record from the future may look before a clock counts as wrong.
const clockLag = time.Minute

// FromTheFuture tells whether something was recorded later than now.
func FromTheFuture(recorded, now time.Time) bool { return recorded.After(now.Add(clockLag)) }
