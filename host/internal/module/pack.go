package module

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk/manifest"
)

// packed is what a package holds beside its manifest and executables.
var packedFolders = []string{"languages", "assets"}

var packedFiles = []string{"LICENSE", "README.md", "CHANGELOG.md"}

// Pack writes the package of the module in dir: its manifest, the executables for these platforms
// (all the manifest names when there are none), languages, assets and SHA256SUMS. An executable
// that isn't in dir is built from the Go source there. The same files give the same bytes. The
// result is verified as an upload would be, but for the platform.
func Pack(dir string, out io.Writer, platforms []string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	defer root.Close()
	text, err := root.ReadFile(manifest.FileName)
	if err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	m, err := manifest.Parse(text)
	if err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	files := map[string][]byte{}
	if m.Executables, err = packExecutables(dir, root, m, platforms, files); err != nil {
		return fmt.Errorf("pack %s: %w", m.ID, err)
	}
	if err := packRest(root, files); err != nil {
		return fmt.Errorf("pack %s: %w", m.ID, err)
	}
	if files[manifest.FileName], err = m.Encode(); err != nil {
		return fmt.Errorf("pack %s: %w", m.ID, err)
	}
	sums := checksums{}
	for name, content := range files {
		sums[name] = sha256.Sum256(content)
	}
	files[sumsName] = []byte(sums.String())
	if err := writeZip(out, files, slices.Collect(maps.Values(m.Executables))); err != nil {
		return fmt.Errorf("pack %s: %w", m.ID, err)
	}
	return nil
}

// packExecutables reads or builds one executable per platform and returns where each stands.
func packExecutables(dir string, root *os.Root, m manifest.Manifest, platforms []string, files map[string][]byte) (map[string]string, error) {
	if len(platforms) == 0 {
		platforms = m.Platforms()
	}
	executables := map[string]string{}
	for _, platform := range platforms {
		name, ok := m.Executables[platform]
		if !ok {
			return nil, fmt.Errorf("module.json names no executable for %s, only for %s", platform, strings.Join(m.Platforms(), ", "))
		}
		content, err := root.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			content, err = build(dir, platform)
		}
		if err != nil {
			return nil, err
		}
		if built := platformOf(content[:min(len(content), headerBytes)]); built != platform {
			return nil, fmt.Errorf("%s is built for %q, not for %s", name, built, platform)
		}
		executables[platform], files[name] = name, content
	}
	return executables, nil
}

// build compiles the module in dir, so that the same source gives the same bytes on any machine.
func build(dir, platform string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "understudy-pack-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	target := filepath.Join(folder, "module")
	system, arch, _ := strings.Cut(platform, "/")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", target, ".") //nolint:gosec // nothing in it comes from outside but a folder name of ours
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch)
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build for %s: %w\n%s", platform, err, said)
	}
	return os.ReadFile(target)
}

func packRest(root *os.Root, files map[string][]byte) error {
	for _, name := range packedFiles {
		content, err := root.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		files[name] = content
	}
	for _, folder := range packedFolders {
		err := fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && name == folder {
				return nil
			}
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
				return err
			}
			if !d.Type().IsRegular() {
				return fmt.Errorf("%s is no plain file", name)
			}
			files[name], err = root.ReadFile(name)
			if err == nil && isLanguageFile(name) {
				files[name], err = packLanguage(name, files[name])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// packLanguage takes the byte order mark from a language file, and refuses one that an installer would.
func packLanguage(name string, file []byte) ([]byte, error) {
	if _, err := parseLanguageFile(name, file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return manifest.WithoutMark(file), nil
}

// zipTime stands on every file: the time of packing is no part of a package.
var zipTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// writeZip writes files by name, with module.json first for whoever looks into it by hand.
func writeZip(out io.Writer, files map[string][]byte, executables []string) error {
	w := zip.NewWriter(out)
	names := slices.SortedFunc(maps.Keys(files), func(a, b string) int {
		if a == manifest.FileName || b == manifest.FileName {
			return strings.Compare(pick(a == manifest.FileName, "", a), pick(b == manifest.FileName, "", b))
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		if rule := checkName(name); rule != "" {
			return fmt.Errorf("%s can't stand in a package: %s", name, rule)
		}
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: zipTime}
		h.SetMode(0o644)
		if slices.Contains(executables, name) {
			h.SetMode(0o755)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(files[name]); err != nil {
			return err
		}
	}
	return w.Close()
}

// Bundle writes the download package around a module's package: the package as <id>.zip, the user
// documentation in docsDir below documentation/, and the licence as LICENSE. docsDir and license
// may be empty.
func Bundle(inner []byte, docsDir, license string, out io.Writer) error {
	b, err := readBundle("module.zip", inner)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	files := map[string][]byte{b.manifest.ID + ".zip": inner}
	if docsDir != "" {
		if err := readTree(docsDir, "documentation", files); err != nil {
			return fmt.Errorf("bundle %s: documentation: %w", b.manifest.ID, err)
		}
	}
	if license != "" {
		if files["LICENSE"], err = os.ReadFile(license); err != nil {
			return fmt.Errorf("bundle %s: licence: %w", b.manifest.ID, err)
		}
	}
	var zipped bytes.Buffer
	if err := writeZip(&zipped, files, nil); err != nil {
		return fmt.Errorf("bundle %s: %w", b.manifest.ID, err)
	}
	_, err = out.Write(zipped.Bytes())
	return err
}

func readTree(dir, as string, files map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		files[path.Join(as, name)], err = root.ReadFile(name)
		return err
	})
}
