package main

import (
	"errors"
	"path/filepath"
	"runtime"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// verifyFormat names what `module verify --json` prints. Its fields keep their names and meanings;
// new ones may be added, so readers ignore what they don't know.
const verifyFormat = "understudy.module.verify/1"

// verified is that document.
type verified struct {
	Format   string             `json:"format"`
	File     string             `json:"file"`             // the name that was given, without its folder
	Result   string             `json:"result"`           // "passed", "refused" or "unread": exit status 0, 1 and 2
	Reason   string             `json:"reason,omitempty"` // why not passed: a sentence
	Code     string             `json:"code,omitempty"`   // the installer's name for it, when it was the installer
	Host     string             `json:"host"`             // the version of the CRM that looked
	Platform string             `json:"platform"`         // where it looked
	SHA256   string             `json:"sha256,omitempty"`
	Size     int64              `json:"size,omitempty"`
	Manifest *manifest.Manifest `json:"manifest,omitempty"` // module.json
	// The platforms there are executables for.
	Platforms []string        `json:"platforms"`
	Signer    *verifiedSigner `json:"signer,omitempty"` // absent when it isn't signed
	Grants    []verifiedGrant `json:"grants"`
	Problems  []verifiedWord  `json:"problems"` // why it could be installed but not activated
	Warnings  []verifiedWord  `json:"warnings"` // what should make whoever installs it pause
	Inner     []string        `json:"inner,omitempty"`
	Sandbox   *string         `json:"sandbox"` // what it was held to; null when nothing was run
	Points    []verifiedPoint `json:"points"`  // always all of them, unless the installer refuses
	Measured  *measured       `json:"measured,omitempty"`
	Log       []string        `json:"log,omitempty"` // the module's last lines, when a point failed
}

type verifiedSigner struct {
	KeyID   string `json:"key_id"`
	Trusted bool   `json:"trusted"` // by --signer
	Comment string `json:"comment,omitempty"`
}

type verifiedGrant struct {
	Name    string `json:"name"`
	Meaning string `json:"meaning"` // ours
	Why     string `json:"why"`     // the author's
}

type verifiedWord struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

type verifiedPoint struct {
	Name     string   `json:"name"`
	Result   string   `json:"result"` // "passed", "failed" or "skipped"
	Reason   string   `json:"reason"`
	Warnings []string `json:"warnings"`
}

// measured is for information.
type measured struct {
	ExecutableBytes  int64 `json:"executable_bytes"`
	DescriptionBytes int   `json:"description_bytes"`
	StartMS          int64 `json:"start_ms"`
	IdleBytes        int64 `json:"idle_bytes"` // 0: can't be told here
}

func verifyDocument(file string, f *module.Findings, verdict error) verified {
	d := verified{
		Format: verifyFormat, File: filepath.Base(file), Result: "passed", Host: version, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Platforms: []string{}, Grants: []verifiedGrant{}, Problems: []verifiedWord{}, Warnings: []verifiedWord{}, Points: []verifiedPoint{},
	}
	if verdict != nil {
		d.Result, d.Reason, d.Code = "refused", sentence(verdict), crm.KeyOf(verdict)
	}
	if unread, ok := errors.AsType[*unreadError](verdict); ok {
		d.Result, d.Reason = "unread", sentence(unread.err)
	}
	if f == nil {
		return d
	}
	d.SHA256, d.Size, d.Inner, d.Log = f.Review.SHA256, f.Review.Size, f.Review.Inner, f.Log
	if f.Review.Manifest.ID == "" {
		return d
	}
	d.describe(f.Review)
	if f.Sandbox != nil {
		level := f.Sandbox.String()
		d.Sandbox = &level
		d.Measured = &measured{f.Measured.ExecutableBytes, f.Measured.DescriptionBytes, f.Measured.Start.Milliseconds(), f.Measured.IdleBytes}
	}
	for _, p := range f.Points {
		d.Points = append(d.Points, verifiedPoint{p.Name, string(p.Result), p.Reason, append([]string{}, p.Warnings...)})
	}
	return d
}

// describe fills in what the review page shows.
func (d *verified) describe(r module.Review) {
	d.Manifest, d.Platforms = &r.Manifest, r.Platforms
	if r.Signer.Signed() {
		d.Signer = &verifiedSigner{r.Signer.KeyID, r.Signer.Trusted, r.Signer.Comment}
	}
	for _, g := range r.Grants {
		d.Grants = append(d.Grants, verifiedGrant{g.Name, manifest.GrantMeaning(g.Name), g.Why})
	}
	for _, p := range r.Problems {
		d.Problems = append(d.Problems, verifiedWord{p.Key, sentence(&p)})
	}
	for _, w := range r.Warnings {
		d.Warnings = append(d.Warnings, verifiedWord{w.Key, sentence(&w)})
	}
}
