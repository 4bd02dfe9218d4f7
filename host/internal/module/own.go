package module

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Belongings is what is kept for a module, for the question before it is uninstalled.
type Belongings struct {
	app.Belongings
	Dropped   int  // translations in its folder, which an operator put there
	Activated bool // then nothing of it can be deleted
}

// Belongings counts what is kept for a module.
func (m *Manager) Belongings(ctx context.Context, who crm.Who, id string) (Belongings, error) {
	if err := m.app.CheckModuleView(who); err != nil {
		return Belongings{}, err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return Belongings{}, err
	}
	if err := m.logged(ctx, id); err != nil {
		return Belongings{}, err
	}
	b := Belongings{Activated: row.Activated, Dropped: m.shelf.translations(id)}
	b.Belongings, err = m.app.ModuleBelongings(ctx, id)
	return b, err
}

// Export writes everything that is kept for a module as JSON, in the format App.ExportModule
// describes.
func (m *Manager) Export(ctx context.Context, who crm.Who, id string, w io.Writer) error {
	if err := m.app.CheckModuleRights(who); err != nil {
		return err
	}
	if err := m.logged(ctx, id); err != nil {
		return err
	}
	if err := m.app.ExportModule(ctx, who, id, w); err != nil {
		return fmt.Errorf("export %s: %w", id, err)
	}
	return nil
}

// ResetData deletes what is kept for a module that isn't activated, Conflict when it is, so that it
// is as just installed. typedName must be its name, letter by letter.
func (m *Manager) ResetData(ctx context.Context, who crm.Who, id, typedName string) error {
	u, row, err := m.claim(ctx, who, id)
	if err != nil {
		return err
	}
	defer u.unlock()
	if err := checkTyped(row, typedName); err != nil {
		return err
	}
	m.flushLog(ctx, u.log)
	if err := m.app.DeleteModuleData(ctx, who, id); err != nil {
		return err
	}
	if err := m.shelf.dropTranslations(id); err != nil {
		m.log.Error("delete a module's translations", "module", id, "error", err)
	}
	u.log.forget()
	m.mu.Lock()
	u.texts, u.print = nil, ""
	m.mu.Unlock()
	u.learnTexts(ctx, row)
	m.recompile()
	return nil
}

// checkTyped asks for a module's name before what can't be undone.
func checkTyped(row crm.Module, typed string) error {
	if name := manifestOf(row).Name; strings.TrimSpace(typed) != name {
		return crm.Refuse(crm.Invalid, "module_name_mistyped", "Name", name)
	}
	return nil
}

// translations counts the files an operator put beside a module's versions.
func (s shelf) translations(id string) int {
	root, err := s.open()
	if err != nil {
		return 0 // there is no such folder
	}
	defer root.Close()
	files, _ := fs.Glob(root.FS(), path.Join(id, "languages", "*.json"))
	return len(files)
}

func (s shelf) dropTranslations(id string) error {
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(path.Join(id, "languages"))
}
