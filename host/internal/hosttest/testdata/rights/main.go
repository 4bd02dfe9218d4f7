// Rights is a module for tests of the host's surface: rights of staff and of contacts, items of the
// bar with shortcuts, links on people.
package main

import (
	"embed"
	"fmt"
	"net/http"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed module.json
var manifest []byte

//go:embed languages/*.json
var languages embed.FS

func main() {
	admin, portal := []sdk.Area{sdk.AdminArea}, []sdk.Area{sdk.PortalArea}
	both := []sdk.Area{sdk.AdminArea, sdk.PortalArea}
	page := func(path, title string, areas []sdk.Area, visible sdk.VisibilityRule) sdk.Page {
		return sdk.Page{Path: path, TitleKey: title, Areas: areas, Visible: visible, Handler: http.HandlerFunc(whoami)}
	}
	sdk.Serve(sdk.Module{
		Manifest: manifest, Languages: languages,
		Contributions: sdk.Contributions{
			Capabilities: []sdk.Capability{
				{Key: "do", LabelKey: "do"},
				{Key: "see", LabelKey: "see", Kind: sdk.Contact},
				{Key: "change", LabelKey: "change", Kind: sdk.Contact},
			},
			Pages: []sdk.Page{
				page("/things", "staff_page", admin, sdk.HasCapability("do")),
				page("/visitors", "portal_page", portal, sdk.HasCapability("see")),
				page("/note", "note", both, sdk.Any(sdk.Administrator(), sdk.InArea(sdk.PortalArea))),
			},
			Navbar: []sdk.NavbarItem{
				{ID: "things", LabelKey: "staff_page", Icon: "tools", Areas: admin, Action: sdk.GoToPage("/things"), Visible: sdk.HasCapability("do"), Shortcut: "t"},
				{ID: "visitors", LabelKey: "portal_page", Icon: "eye", Areas: portal, Action: sdk.GoToPage("/visitors"), Visible: sdk.HasCapability("see"), Shortcut: "t"},
				{ID: "note", LabelKey: "note", Icon: "edit", Areas: admin, Action: sdk.OpenModal("/note"), Visible: sdk.Administrator(), Shortcut: "n"},
				{ID: "back", LabelKey: "back", Areas: both, Highlighted: true, Action: sdk.RestoreSession(), Visible: sdk.SessionSwitched(), Shortcut: "b"},
			},
			AccountActions: []sdk.AccountAction{{
				LabelKey: "meet", Icon: "user", Page: "/things", Kinds: []sdk.AccountKind{sdk.Staff, sdk.Contact}, Visible: sdk.HasCapability("do"),
			}},
		},
	})
}

// whoami says what the module is told about the rights of who asks.
func whoami(w http.ResponseWriter, r *http.Request) {
	viewer := sdk.ViewerOf(r.Context())
	fmt.Fprintf(w, `<p>%s holds: %s.</p><form method="post"><label>Text <input name="text"></label></form>`, viewer.Subject.Key, strings.Join(viewer.Subject.Capabilities, " "))
}
