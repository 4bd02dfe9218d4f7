package module

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// source copies the sample's files to where a module author would have them, with a ready-made
// executable in place of Go source.
func source(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range (kit{}).content(t) {
		if name == sumsName {
			continue
		}
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTheSameFilesPackToTheSameBytes(t *testing.T) {
	t.Parallel()
	folder := source(t)
	var one, two bytes.Buffer
	if err := Pack(folder, &one, nil); err != nil {
		t.Fatal(err)
	}
	if err := Pack(folder, &two, []string{hostPlatform()}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("they differ")
	}
	b, err := readBundle("sample.zip", one.Bytes())
	if err != nil || b.manifest.ID != "sample" {
		t.Errorf("packed, but not taken: %v", err)
	}
	file := filepath.Join(t.TempDir(), "sample.zip")
	if err := os.WriteFile(file, one.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	review, err := New(Options{HostVersion: "3.0.9", MaxUpload: 64 << 20}).Verify(t.Context(), file)
	if err != nil || len(review.Problems) != 1 || review.Problems[0].Key != "module_host_too_old" {
		t.Errorf("verify: %+v %v", review, err)
	}
}

func TestPackSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	folder := source(t)
	if err := Pack(folder, io.Discard, []string{"plan9/amd64"}); err == nil || !strings.Contains(err.Error(), "plan9/amd64") {
		t.Errorf("an unnamed platform: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bin", "sample"), []byte("#!/bin/sh"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Pack(folder, io.Discard, nil); err == nil || !strings.Contains(err.Error(), "built for") {
		t.Errorf("a script: %v", err)
	}
	if err := Pack(t.TempDir(), io.Discard, nil); err == nil || !strings.Contains(err.Error(), manifest.FileName) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestABundleHoldsModuleDocumentationAndLicence(t *testing.T) {
	docs := t.TempDir()
	if err := os.WriteFile(filepath.Join(docs, "index.html"), []byte("<h1>Read me</h1>"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Bundle(kit{}.zip(t), docs, filepath.Join(docs, "index.html"), &out); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "LICENSE documentation/index.html sample.zip" {
		t.Errorf("got %s", got)
	}
}

// The module we ship, from its source to a switch.
func TestTheShippedModuleRuns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Pack(filepath.Join("..", "..", "..", "plugins", "impersonation"), &out, []string{hostPlatform()}); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, nil)
	ctx, who := t.Context(), s.ann.Who()
	review, err := s.m.Upload(ctx, who, "impersonation.zip", bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	s.confirm()
	if _, err := s.m.Install(ctx, who, review.StagedID); err != nil {
		t.Fatal(err)
	}
	if err := s.m.Activate(ctx, who, "impersonation"); err != nil {
		t.Fatalf("%v; last lines: %q", err, s.row("impersonation").LastLines)
	}
	var labels []string
	for _, link := range s.row("impersonation").Links {
		labels = append(labels, link.Label)
	}
	if got := strings.Join(labels, ", "); got != "Settings, View Log" {
		t.Errorf("links: %s", got)
	}
	bar := s.m.Surface().Navbar(s.viewer())
	if len(bar) != 1 || bar[0].Label != "Impersonate" {
		t.Fatalf("navbar: %+v", bar)
	}
	answer, err := s.m.servePage(ctx, PageRequest{
		Module: "impersonation", Method: http.MethodGet, Path: strings.TrimPrefix(bar[0].Href, "/admin/m/impersonation"), Viewer: s.viewer(), BasePath: "/admin/m/impersonation",
	})
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("its modal: %d %v", answer.Status, err)
	}
	answer.Body.Close()
	s.ann.Become("jane@acme.example")
	v := Viewer{Who: s.ann.Who(), Area: crm.Portal, Language: "en"}
	if bar := s.m.Surface().Navbar(v); len(bar) != 2 || bar[0].Label != "Stop Impersonation" || !bar[0].Restore || !bar[0].Attention || bar[1].Label != "Support access" {
		t.Errorf("navbar while switched: %+v", bar)
	}
	s.ann.Return()
}
