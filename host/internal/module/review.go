package module

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/Masterminds/semver/v3"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// Review is what an administrator sees of a verified package before pressing Install. When the zip
// is the download package around others, only Inner, Problems and what names the file are set, and
// ReviewInner goes on from there.
type Review struct {
	StagedID, Filename, SHA256 string
	Size                       int64
	Manifest                   manifest.Manifest
	Platforms                  []string
	Grants                     []ReviewGrant
	Signed                     bool       // by whomever
	Signer                     crm.Signer // trusted, or an id nobody here knows, or nobody
	InstalledSigner            crm.Signer // of the installed version
	SignerChanged              bool       // the installed version was signed by somebody else, who was trusted
	InstalledVersion           string
	Change                     string      // "new", "upgrade", "reinstall" or "downgrade"
	Problems                   []crm.Error // it can be installed, but not activated, for these
	Warnings                   []crm.Error // of what it says of itself; it can be installed and activated
	Inner                      []string    // the packages inside a download package
}

// ReviewGrant is something the module asks for. Meaning is the key of the host's sentence for it,
// Why the author's own words.
type ReviewGrant struct {
	Name, Meaning, Why string
	New                bool // not granted to the version that is installed, nor withdrawn from it
	Withdrawn          bool // taken back from the installed version; it stays so
}

// Upload takes a zip, verifies it entirely and keeps it for Install. Nothing is written to disk.
// Every rule that can be broken has an error of its own.
func (m *Manager) Upload(ctx context.Context, who crm.Who, filename string, body io.Reader) (Review, error) {
	if err := m.app.CheckModuleRights(who); err != nil {
		return Review{}, err
	}
	if err := m.MayUpload(); err != nil {
		return Review{}, m.RefuseUpload(ctx, who, filename, nil, err)
	}
	data, err := m.readUpload(body)
	if err != nil {
		return Review{}, m.RefuseUpload(ctx, who, filename, nil, err)
	}
	return m.stage(ctx, who, filename, data)
}

// MayUpload is Denied module_upload_off where modules.allow_upload is off.
func (m *Manager) MayUpload() error {
	if !m.allowUpload {
		return crm.Refuse(crm.Denied, "module_upload_off")
	}
	return nil
}

// RefuseUpload puts on record that a file was refused, and why; what isn't the file's fault isn't
// recorded. data is nil when not all of it was read. It returns the cause.
func (m *Manager) RefuseUpload(ctx context.Context, who crm.Who, filename string, data []byte, cause error) error {
	if kind := crm.KindOf(cause); kind == crm.Internal || kind == crm.Unavailable {
		return cause
	}
	p := crm.StagedPackage{Filename: cleanFilename(filename)}
	if data != nil {
		p.SHA256 = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	if err := m.app.RecordUploadRefused(context.WithoutCancel(ctx), who, p, crm.KeyOf(cause)); err != nil {
		m.log.Error("record a refused upload", "file", p.Filename, "error", err)
	}
	return cause
}

func (m *Manager) readUpload(body io.Reader) ([]byte, error) {
	// A package is long: memory that grows with it would be five times as much.
	data := bytes.NewBuffer(make([]byte, 0, min(lengthOf(body), m.maxUpload)+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(body, m.maxUpload+1)); err != nil {
		return nil, &crm.Error{Kind: crm.Invalid, Key: "module_upload_broken", Err: err}
	}
	if size := int64(data.Len()); size > m.maxUpload {
		rest, _ := io.Copy(io.Discard, io.LimitReader(body, 8*m.maxUpload)) // only to name the size
		return nil, tooBig(size+rest, m.maxUpload)
	}
	return data.Bytes(), nil
}

// lengthOf is how long a file is that stands at its beginning; 0 where that can't be asked.
func lengthOf(body io.Reader) int64 {
	file, ok := body.(io.Seeker)
	if !ok {
		return 0
	}
	length, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0 // and reading it will say so
	}
	return length
}

func tooBig(size, most int64) error {
	return crm.Refuse(crm.TooLarge, "module_too_big", "Size", megabytes(size), "Max", megabytes(most))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

func (m *Manager) stage(ctx context.Context, who crm.Who, filename string, data []byte) (Review, error) {
	filename = cleanFilename(filename)
	review, err := m.review(ctx, filename, data)
	if err != nil {
		return Review{}, m.RefuseUpload(ctx, who, filename, data, err)
	}
	review.StagedID = randomName() + randomName() + randomName()
	err = m.app.StagePackage(ctx, who, crm.StagedPackage{ID: review.StagedID, Filename: filename, SHA256: review.SHA256, Zip: data, About: review.about()})
	return review, err
}

// about is what the audit is told of a reviewed package, with what it asks for as its grants.
func (r Review) about() crm.Module {
	m := crm.Module{ID: r.Manifest.ID, Version: r.Manifest.Version, SHA256: r.SHA256, Signer: r.Signer}
	for _, g := range r.Manifest.Grants {
		m.Grants = append(m.Grants, g.Name)
	}
	return m
}

// cleanFilename keeps of what a browser sent as a name the part people know the file by.
func cleanFilename(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if invisible(r) || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if runes := []rune(name); len(runes) > 120 {
		name = string(runes[:120])
	}
	if name == "" {
		return "upload.zip"
	}
	return name
}

// review verifies a zip and compares it with what is installed.
func (m *Manager) review(ctx context.Context, filename string, data []byte) (Review, error) {
	b, signer, err := m.readSigned(ctx, filename, data)
	if outer := (*outerError)(nil); errors.As(err, &outer) {
		return Review{Filename: filename, SHA256: outer.sha256, Size: int64(len(data)), Inner: outer.inner, Problems: []crm.Error{*outer.refusal()}}, nil
	}
	if err != nil {
		return Review{}, err
	}
	return m.reviewOf(ctx, filename, b, signer)
}

// reviewOf compares a verified package with what is installed.
func (m *Manager) reviewOf(ctx context.Context, filename string, b *bundle, signer crm.Signer) (Review, error) {
	r := Review{
		Filename: filename, SHA256: b.sha256, Size: b.size, Manifest: b.manifest, Platforms: b.manifest.Platforms(),
		Change: "new", Problems: m.unfit(b.manifest), Warnings: mixedNames(b.manifest), Signed: signer.Signed(), Signer: signer,
	}
	var installed crm.Module
	if m.app != nil {
		before, err := m.app.Module(ctx, b.manifest.ID)
		if err != nil && crm.KindOf(err) != crm.NotFound {
			return Review{}, err
		}
		if err == nil {
			r.InstalledVersion, r.Change, installed = before.Version, change(before.Version, b.manifest.Version), before
			r.InstalledSigner, r.SignerChanged = before.Signer, before.Signer.Trusted && before.Signer.PublicKey != signer.PublicKey
		}
	}
	r.Grants = reviewGrants(b.manifest, installed)
	return r, nil
}

// change says what installing version next over version now would be.
func change(now, next string) string {
	a, errA := semver.NewVersion(now)
	b, errB := semver.NewVersion(next)
	if errA != nil || errB != nil {
		return "upgrade"
	}
	switch b.Compare(a) {
	case 0:
		return "reinstall"
	case -1:
		return "downgrade"
	}
	return "upgrade"
}

// Review shows a staged package again.
func (m *Manager) Review(ctx context.Context, who crm.Who, stagedID string) (Review, error) {
	staged, err := m.app.StagedPackage(ctx, who, stagedID)
	if err != nil {
		return Review{}, err
	}
	r, err := m.review(ctx, staged.Filename, staged.Zip)
	r.StagedID = stagedID
	return r, err
}

// ReviewInner takes one package out of a staged download package and stages that instead.
func (m *Manager) ReviewInner(ctx context.Context, who crm.Who, stagedID, name string) (Review, error) {
	staged, err := m.app.StagedPackage(ctx, who, stagedID)
	if err != nil {
		return Review{}, err
	}
	inner, err := innerPackage(staged.Filename, staged.Zip, name)
	if err == nil && int64(len(inner)) > m.maxUpload {
		err = tooBig(int64(len(inner)), m.maxUpload)
	}
	if err != nil {
		return Review{}, m.RefuseUpload(ctx, who, name, nil, err)
	}
	review, err := m.stage(ctx, who, filepath.Base(name), inner)
	if err != nil {
		return Review{}, err
	}
	return review, m.app.DropStagedPackage(ctx, who, stagedID)
}

// DropReview forgets a staged package that won't be installed.
func (m *Manager) DropReview(ctx context.Context, who crm.Who, stagedID string) error {
	staged, err := m.staged(ctx, who, stagedID)
	if err != nil {
		return err
	}
	return m.app.CancelStagedPackage(ctx, who, staged)
}

// staged reads a staged package and what it is about, as far as that can be told by now.
func (m *Manager) staged(ctx context.Context, who crm.Who, stagedID string) (crm.StagedPackage, error) {
	staged, err := m.app.StagedPackage(ctx, who, stagedID)
	if err != nil {
		return staged, err
	}
	staged.About.SHA256 = staged.SHA256
	if r, err := m.review(ctx, staged.Filename, staged.Zip); err == nil {
		staged.About = r.about()
	}
	return staged, nil
}

// Verify reviews a package on disk without keeping it, for the command line.
func (m *Manager) Verify(ctx context.Context, file string) (Review, error) {
	f, err := os.Open(file)
	if err != nil {
		return Review{}, fmt.Errorf("verify: %w", err)
	}
	defer f.Close()
	data, err := m.readUpload(f)
	if err != nil {
		return Review{}, err
	}
	return m.review(ctx, filepath.Base(file), data)
}
