// Small is a module that adds to every part of the host's surface and does nothing: so that the cost
// of many of them can be measured. Where it stands decides who it is, so that one build serves all.
package main

import (
	"embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed languages/*.json
var languages embed.FS

func main() {
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	id := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(executable))))
	both := []sdk.Area{sdk.AdminArea, sdk.PortalArea}
	sdk.Serve(sdk.Module{
		Manifest: fmt.Appendf(nil, `{ "id": %q, "name": "Small", "version": "1.0.0", "requires": { "host": ">=3.1.0", "protocol": 1 },
			"executables": { "linux/amd64": "bin/small" }, "capabilities": ["staff"] }`, id),
		Languages: languages,
		Contributions: sdk.Contributions{
			FeatureLabelKey: "feature",
			Capabilities:    []sdk.Capability{{Key: "staff", LabelKey: "staff"}},
			Navbar: []sdk.NavbarItem{{
				ID: "open", LabelKey: "item", Icon: "user", Areas: both, Action: sdk.OpenModal("/pick"),
				Visible: sdk.All(sdk.Not(sdk.SettingEquals("closed", "true")), sdk.Any(sdk.Administrator(), sdk.HasCapability("staff"))),
			}},
			SettingsPages:  []sdk.SettingsPage{{TitleKey: "settings", Fields: []sdk.SettingField{{Key: "closed", Kind: sdk.BoolSetting, LabelKey: "closed", Default: "false"}}}},
			Pages:          []sdk.Page{{Path: "/pick", TitleKey: "item", Areas: both, Handler: http.HandlerFunc(pick), UnsafeClass: sdk.Write}},
			ActionLinks:    []sdk.ActionLink{{LabelKey: "settings"}},
			AccountActions: []sdk.AccountAction{{LabelKey: "item", Icon: "user", Page: "/pick", Modal: true, Kinds: []sdk.AccountKind{sdk.Staff}}},
		},
	})
}

func pick(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<p>picked</p>") }
