package module

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// ownFolder is the folder of a package where another one of its version has <version>.
func ownFolder(version, sha256 string) string {
	return version + packageSign + sha256[:min(8, len(sha256))]
}

// unpack puts a package in its folder unless it is there and right. The folder that before runs from
// stays as it is, also when it is of the same version. Its caller holds busy.
func (m *Manager) unpack(ctx context.Context, u *unit, before crm.Module, b *bundle) (placed, error) {
	if p, ok := m.shelf.find(b); ok {
		return p, nil
	}
	from := dropped{m.folderOf(before), m.sums(ctx, before)}
	name := b.manifest.Version
	if m.shelf.taken(u, before, b) {
		name = ownFolder(name, b.sha256)
	}
	if err := m.shelf.unpack(b, name, from); err != nil {
		return placed{}, err
	}
	m.mu.Lock()
	if filepath.Base(u.placed.folder) == name {
		u.placed = placed{} // what was there is gone
	}
	m.mu.Unlock()
	return m.shelf.placed(b, name), nil
}

// sums are those of an installed package; none when it can't be read.
func (m *Manager) sums(ctx context.Context, row crm.Module) checksums {
	zip, err := m.app.ModulePackage(ctx, row.SHA256)
	if err != nil {
		return nil
	}
	b, err := openBundle(row.ID+".zip", zip)
	if err != nil {
		return nil
	}
	return b.sums
}

// folderOf is the folder an installed package stands in, or would.
func (m *Manager) folderOf(row crm.Module) string {
	if own := ownFolder(row.Version, row.SHA256); m.shelf.has(row.ID, own) {
		return own
	}
	return row.Version
}

// find looks for the folder of a package, and that it is as it says.
func (s shelf) find(b *bundle) (placed, bool) {
	for _, name := range []string{ownFolder(b.manifest.Version, b.sha256), b.manifest.Version} {
		if s.check(b.manifest.ID, name, b.sums) == nil {
			return s.placed(b, name), true
		}
	}
	return placed{}, false
}

// taken tells whether the folder of a package's version holds another one that is in use.
func (s shelf) taken(u *unit, before crm.Module, b *bundle) bool {
	version := b.manifest.Version
	if !s.has(u.id, version) {
		return false
	}
	if r := u.current.Load(); r != nil && r.row.SHA256 != b.sha256 && filepath.Base(r.placed.folder) == version {
		return true
	}
	return before.Version == version && before.SHA256 != b.sha256
}

func (s shelf) has(id, name string) bool {
	root, err := s.open()
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Lstat(path.Join(id, name))
	return err == nil
}

// placed says where a package stands in a folder of its module.
func (s shelf) placed(b *bundle, name string) placed {
	return placed{filepath.Join(s.path, b.manifest.ID, name), b.sha256, b.manifest, b.sums}
}

// pruneAll is prune at the start of the host, when nothing runs yet.
func (m *Manager) pruneAll(ctx context.Context) {
	rows, err := m.app.Modules(ctx)
	if err != nil {
		return // the next step says so
	}
	for _, row := range rows {
		m.prune(ctx, m.unit(row))
	}
}

// prune removes the folders of versions that are neither installed nor kept, and that nothing runs
// from; one that waits is unpacked when it is accepted. Only who serves knows the latter: others leave it to them. That it fails is no
// more than a folder too many.
func (m *Manager) prune(ctx context.Context, u *unit) {
	if !m.serving() {
		return
	}
	stay, err := m.inUse(ctx, u)
	if err == nil {
		err = m.shelf.prune(u.id, stay)
	}
	if err != nil && ctx.Err() == nil {
		m.log.Warn("remove folders of a module's old versions", "module", u.id, "error", m.sentence(err))
	}
}

// inUse are the names of the folders that stay.
func (m *Manager) inUse(ctx context.Context, u *unit) ([]string, error) {
	row, err := m.app.Module(ctx, u.id)
	if err != nil {
		return nil, err
	}
	stay := []string{row.Version, ownFolder(row.Version, row.SHA256)}
	kept, err := m.app.KeptVersions(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range kept {
		if v.ModuleID == u.id {
			stay = append(stay, v.Version, ownFolder(v.Version, v.SHA256))
		}
	}
	if r := u.current.Load(); r != nil {
		stay = append(stay, filepath.Base(r.placed.folder))
	}
	return stay, nil
}

// prune removes the folders of a module's versions but for those that stay. What isn't named like a
// version isn't ours to remove.
func (s shelf) prune(id string, stay []string) error {
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	list, err := fs.ReadDir(root.FS(), id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		version, _, _ := strings.Cut(e.Name(), packageSign)
		if _, other := semver.StrictNewVersion(version); other != nil || !e.IsDir() || slices.Contains(stay, e.Name()) {
			continue
		}
		// Renamed first: half a folder is never taken for a whole one.
		aside := path.Join(id, stagingPrefix+randomName())
		one := root.Rename(path.Join(id, e.Name()), aside)
		if one == nil {
			one = s.at("set aside")
		}
		if one == nil {
			one = root.RemoveAll(aside)
		}
		err = errors.Join(err, one)
	}
	return err
}
