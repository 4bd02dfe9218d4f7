// Unruly is a module for the conformance kit's own tests: a good one, but for the one thing that
// its mode, in assets/mode, has it get wrong.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed languages/*.json
var languages embed.FS

var folder, mode = place()

func place() (folder, mode string) {
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	folder = filepath.Dir(filepath.Dir(executable))
	text, err := os.ReadFile(filepath.Join(folder, "assets", "mode"))
	if err != nil {
		panic(err)
	}
	return folder, strings.TrimSpace(string(text))
}

func main() {
	switch mode {
	case "exit":
		fmt.Fprintln(os.Stderr, "\x1b[2J\u202eall well: no")
		os.Exit(7)
	case "garbage":
		fmt.Println("hello")
		time.Sleep(time.Hour)
	case "hang":
		time.Sleep(time.Hour)
	}
	text, err := os.ReadFile(filepath.Join(folder, "module.json"))
	if err != nil {
		panic(err)
	}
	manifest := string(text)
	if mode == "lies" {
		manifest = strings.Replace(manifest, `"1.0.0"`, `"6.6.6"`, 1)
	}
	standard := "1"
	if mode == "impure" {
		standard = strconv.Itoa(os.Getpid())
	}
	sdk.Serve(sdk.Module{
		Manifest: []byte(manifest), Languages: languages,
		Contributions: sdk.Contributions{
			Capabilities: []sdk.Capability{{Key: "staff", LabelKey: "item"}, {Key: "customers", LabelKey: "item"}},
			SettingsPages: []sdk.SettingsPage{{TitleKey: "item", Fields: []sdk.SettingField{
				{Key: "number", Kind: sdk.NumberSetting, LabelKey: "item", Default: standard},
			}}},
			Pages: []sdk.Page{
				{Path: "/", TitleKey: "item", Areas: []sdk.Area{sdk.AdminArea}, Handler: http.HandlerFunc(page)},
				{Path: "/portal", TitleKey: "item", Areas: []sdk.Area{sdk.PortalArea}, Handler: http.HandlerFunc(page)},
			},
		},
		Activate:         activate,
		CheckHealth:      func(context.Context) error { return refuseIn("unhealthy") },
		ValidateSettings: func(context.Context, sdk.Settings) (map[string]string, error) { return nil, refuseIn("picky") },
		Deactivate: func(context.Context) error {
			if mode == "clings" {
				time.Sleep(time.Hour)
			}
			return nil
		},
	})
}

func refuseIn(wrong string) error {
	if mode == wrong {
		return errors.New("no, said the module")
	}
	return nil
}

// activate counts its own activations where they outlive the process.
func activate(ctx context.Context, _ sdk.Activation) error {
	storage := sdk.HostOf(ctx).Storage
	count, _ := storage.Value(ctx, "count")
	if err := storage.Put(ctx, "count", append(count, '1')); err != nil {
		return err
	}
	if mode == "mortal" && len(count) >= 2 {
		return errors.New("three times are too many")
	}
	return nil
}

func page(w http.ResponseWriter, r *http.Request) {
	switch mode {
	case "page-500":
		w.WriteHeader(http.StatusInternalServerError)
	case "page-dies":
		os.Exit(3)
	case "page-hangs":
		<-r.Context().Done()
	case "page-endless":
		for line := []byte(strings.Repeat("x", 1<<16)); ; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	case "page-dirty":
		fmt.Fprint(w, "<h3>Fine</h3>\n<p onclick=\"x\" class=\"card modal\">a</p>\n<iframe src=\"/\"></iframe>")
	case "page-json":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{}")
	default:
		fmt.Fprint(w, sdk.T(r, "item"))
	}
}
