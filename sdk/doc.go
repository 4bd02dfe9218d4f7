// Package sdk is what a module's author imports, and all of it: the CRM is never imported.
//
// A module is an executable of its own. The CRM starts it, asks it what it adds, draws that by
// itself, and calls the module again only for its own pages and for the questions it wants to
// answer. A whole module is three files. module.json says what it is:
//
//	{
//	  "id": "hello",
//	  "name": "Hello",
//	  "version": "1.0.0",
//	  "author": "You",
//	  "requires": { "host": ">=3.1.0", "protocol": 1 },
//	  "executables": { "linux/amd64": "bin/hello-linux-amd64" }
//	}
//
// languages/en.json holds every text a person reads; another language is the same file, translated:
//
//	{
//	  "hello": "Hello",
//	  "greeting": "Good day, {name}!"
//	}
//
// and main.go is what the module does:
//
//	package main
//
//	import (
//		"embed"
//		"html/template"
//		"net/http"
//
//		"github.com/understudy-crm/understudy/sdk"
//	)
//
//	//go:embed module.json
//	var manifest []byte
//
//	//go:embed languages/*.json
//	var languages embed.FS
//
//	func main() {
//		sdk.Serve(sdk.Module{
//			Manifest:  manifest,
//			Languages: languages,
//			Contributions: sdk.Contributions{
//				Navbar: []sdk.NavbarItem{{
//					ID: "hello", LabelKey: "hello", Icon: "mood-smile",
//					Areas: []sdk.Area{sdk.AdminArea}, Action: sdk.GoToPage("/"),
//				}},
//				Pages: []sdk.Page{{
//					Path: "/", TitleKey: "hello", Areas: []sdk.Area{sdk.AdminArea},
//					Visible: sdk.InArea(sdk.AdminArea), Handler: http.HandlerFunc(hello),
//				}},
//			},
//		})
//	}
//
//	var page = template.Must(template.New("hello").Parse("<p>{{.}}</p>"))
//
//	func hello(w http.ResponseWriter, r *http.Request) {
//		_ = page.Execute(w, sdk.T(r, "greeting", "name", sdk.ViewerFrom(r).Subject.Name))
//	}
//
// # Pages
//
// A page is an [http.Handler] that writes the body only: the CRM draws title, navigation and layout
// around it. Its scripts and styles are the CRM's (Tabler's classes work); inline ones are blocked.
// GET and HEAD change nothing. A form posts to [Viewer].BasePath plus the page's path and holds
// [FormField], without which the CRM refuses it.
//
// # Rights
//
// [Viewer].Subject is whose rights count, [Viewer].Actor is who signed in and is accountable; they
// differ in a switched session. The CRM checks a page's Visible rule before the module is asked.
//
// # Bounds
//
// What a module answers or asks is at most 256 KiB a message; pages may be longer, for they are sent
// in pieces, and so may values, up to 1 MiB each and 16 MiB in all. A page has 15 s to begin, a hook
// 2 s, settings 2 s to be judged, Activate 10 s and Deactivate 5 s. At most 64 requests are underway
// at a time, and 2,000 calls a second go to the CRM.
//
// # Tests
//
// Package sdktest runs the module inside a test, with a host of maps and slices behind it.
//
// The packed module is for the CRM's own program to judge, in the author's CI as at the installer's:
//
//	understudy module pack . --out hello.zip
//	understudy module verify hello.zip
//
// It checks the package as an upload would, then has the module live a whole life in a throw-away
// CRM: described twice, activated, asked for its pages and its health, deactivated, started again,
// killed, stopped. The exit status is 0 when all is well, 1 when something failed and 2 when there
// was nothing to judge; with --json every point is told by name.
package sdk
