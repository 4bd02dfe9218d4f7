package module

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// The names of what is underway in a module's folder, and the sign between version and package where
// two packages of one version stand side by side. No version has it in it.
const (
	stagingPrefix = ".staging-"
	asidePrefix   = ".old-"
	packageSign   = "~"
)

// shelf is the folder that holds unpacked modules as <id>/<version>/. Everything in it goes
// through os.Root: no name of a package leads out of it.
type shelf struct {
	path  string
	fault func(step string) error // called between steps, for tests that fail or die there
}

func (s shelf) at(step string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(step)
}

func (s shelf) open() (*os.Root, error) {
	if err := os.MkdirAll(s.path, 0o750); err != nil {
		return nil, notWritable(s.path, err)
	}
	root, err := os.OpenRoot(s.path)
	if err != nil {
		return nil, notWritable(s.path, err)
	}
	return root, nil
}

// notWritable names path, user and cause of a folder the host needs.
func notWritable(folder string, err error) error {
	name := "uid " + fmt.Sprint(os.Getuid())
	if u, userErr := user.Current(); userErr == nil {
		name = u.Username
	}
	return &crm.Error{Kind: crm.Unavailable, Key: "module_folder_not_writable", Args: map[string]any{"Path": folder, "User": name}, Err: err}
}

// dropped is where translations were dropped beside those a package brought, which come along.
type dropped struct {
	name string // of the folder
	sums checksums
}

// unpack writes a verified package into a folder of its module. It is staged beside, synced and
// renamed: dying at any step leaves the old folder or the new one, and sweep clears the rest away. The
// old copy is never deleted before the new one stands.
func (s shelf) unpack(b *bundle, name string, from dropped) error {
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	id, final := b.manifest.ID, path.Join(b.manifest.ID, name)
	staging := path.Join(id, stagingPrefix+randomName())
	if err := s.stage(root, b, staging, from); err != nil {
		_ = root.RemoveAll(staging)
		return fmt.Errorf("unpack %s %s: %w", id, b.manifest.Version, notWritable(s.path, err))
	}
	if err := s.replace(root, id, staging, final); err != nil {
		_ = root.RemoveAll(staging)
		return fmt.Errorf("unpack %s %s: put in place: %w", id, b.manifest.Version, err)
	}
	return nil
}

func (s shelf) stage(root *os.Root, b *bundle, staging string, from dropped) error {
	if err := errors.Join(root.MkdirAll(staging, 0o755), s.at("folder made")); err != nil {
		return err
	}
	executables := slices.Collect(maps.Values(b.manifest.Executables))
	for _, e := range b.entries {
		mode := fs.FileMode(0o644)
		if slices.Contains(executables, e.path) {
			mode = 0o755
		}
		if err := errors.Join(writeEntry(root, path.Join(staging, e.path), mode, e), s.at("file written")); err != nil {
			return err
		}
	}
	if err := keepTranslations(root, b, from, staging); err != nil {
		return err
	}
	if err := errors.Join(syncFolders(root, staging), s.at("synced")); err != nil {
		return err
	}
	return errors.Join(checkFiles(root, staging, b.sums), s.at("staged"))
}

func writeEntry(root *os.Root, name string, mode fs.FileMode, e entry) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = errors.Join(e.CopyTo(f), f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("%s: %w", e.path, err)
	}
	return nil
}

// keepTranslations copies language files that somebody dropped into the folder that was used so far.
// What its own package brought isn't among them: nothing of it is seen by another.
func keepTranslations(root *os.Root, b *bundle, from dropped, to string) error {
	if from.sums == nil {
		return nil
	}
	names, _ := fs.Glob(root.FS(), path.Join(b.manifest.ID, from.name, "languages", "*.json"))
	for _, name := range names {
		local := path.Join("languages", path.Base(name))
		_, ours := b.sums[local]
		if _, theirs := from.sums[local]; ours || theirs {
			continue
		}
		text, err := root.ReadFile(name)
		if err != nil {
			continue // not worth failing an installation for
		}
		if err := errors.Join(root.MkdirAll(path.Join(to, "languages"), 0o755), root.WriteFile(path.Join(to, local), text, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// replace renames the staged folder into place. Between its two renames the old copy stands aside
// under a name from which sweep brings it back.
func (s shelf) replace(root *os.Root, id, staging, final string) error {
	aside := path.Join(id, asidePrefix+path.Base(final)+"-"+randomName())
	_, err := root.Lstat(final)
	replacing := err == nil
	if replacing {
		if err := root.Rename(final, aside); err != nil {
			return err
		}
	}
	if err = s.at("moved aside"); err == nil {
		err = root.Rename(staging, final)
	}
	if err != nil {
		if replacing {
			err = errors.Join(err, root.Rename(aside, final))
		}
		return err
	}
	if err := errors.Join(s.at("renamed"), syncOne(root, id), syncOne(root, "."), s.at("in place")); err != nil {
		return err // the old copy, if there is one, is still aside: the next sweep decides
	}
	if replacing {
		return root.RemoveAll(aside)
	}
	return nil
}

// sweep clears away what an interrupted unpack left, and brings an old copy back to its place when
// the new one didn't get there.
func (s shelf) sweep() error {
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	modules, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var failed error
	for _, m := range modules {
		if m.IsDir() {
			failed = errors.Join(failed, sweepModule(root, m.Name()))
		}
	}
	return failed
}

func sweepModule(root *os.Root, id string) error {
	versions, err := fs.ReadDir(root.FS(), id)
	if err != nil {
		return err
	}
	var failed error
	for _, v := range versions {
		name := path.Join(id, v.Name())
		if strings.HasPrefix(v.Name(), stagingPrefix) {
			failed = errors.Join(failed, root.RemoveAll(name))
		}
		if version, aside := strings.CutPrefix(v.Name(), asidePrefix); aside {
			version = version[:max(0, strings.LastIndexByte(version, '-'))]
			failed = errors.Join(failed, restoreAside(root, name, path.Join(id, version)))
		}
	}
	return failed
}

func restoreAside(root *os.Root, aside, final string) error {
	if _, err := root.Lstat(final); errors.Is(err, fs.ErrNotExist) && path.Base(final) != "" {
		return root.Rename(aside, final)
	}
	return root.RemoveAll(aside)
}

// check says whether a folder of a module holds exactly what its package brought. Language
// files beyond that are translations somebody dropped in, and welcome.
func (s shelf) check(id, name string, sums checksums) error {
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	return checkFiles(root, path.Join(id, name), sums)
}

func checkFiles(root *os.Root, folder string, sums checksums) error {
	seen := 0
	err := fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		local := strings.TrimPrefix(name, folder+"/")
		want, listed := sums[local]
		switch {
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no plain file", local)
		case listed:
			seen++
			return checkFile(root, name, want)
		case local == sumsName || local == signatureName || isLanguageFile(local):
			return nil
		}
		return fmt.Errorf("%s does not belong to the package", local)
	})
	if err == nil && seen != len(sums) {
		err = errors.New("files are missing")
	}
	return err
}

func checkFile(root *os.Root, name string, want digest) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := digestOf(f)
	if err == nil && got != want {
		err = fmt.Errorf("%s has been changed", name)
	}
	return err
}

// remove deletes an uninstalled module's versions, and the translations beside them too when all
// is asked for.
func (s shelf) remove(id string, all bool) error {
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if all {
		return root.RemoveAll(id)
	}
	versions, err := fs.ReadDir(root.FS(), id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, v := range versions {
		if v.Name() != "languages" {
			err = errors.Join(err, root.RemoveAll(path.Join(id, v.Name())))
		}
	}
	_ = root.Remove(id) // succeeds only when nothing is left
	return err
}

// syncFolders syncs a folder and all below it.
func syncFolders(root *os.Root, folder string) error {
	return fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncOne(root, name)
	})
}

func syncOne(root *os.Root, folder string) error {
	f, err := root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

func randomName() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails: the program ends instead
	return hex.EncodeToString(b)
}
