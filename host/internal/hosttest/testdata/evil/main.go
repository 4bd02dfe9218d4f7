// A module without grants that answers whatever the query says: what it sends must stay inert in the host's page.
package main

import (
	"embed"
	"io"
	"net/http"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed module.json
var manifest []byte

//go:embed languages/*.json
var languages embed.FS

func answer(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	kind, body := q.Get("type"), q.Get("body")
	if kind == "" {
		kind = "text/html; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	if to := q.Get("to"); to != "" {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusSeeOther)
	}
	_, _ = io.WriteString(w, body)
}

func page(path string) sdk.Page {
	return sdk.Page{
		Path: path, TitleKey: "title", Areas: []sdk.Area{sdk.AdminArea, sdk.PortalArea}, Handler: http.HandlerFunc(answer),
		UnsafeClass: sdk.Write, Visible: sdk.All(),
	}
}

func as(answers sdk.PageAnswer, path string) sdk.Page {
	p := page(path)
	p.Answers = answers
	return p
}

func main() {
	sdk.Serve(sdk.Module{Manifest: manifest, Languages: languages, Contributions: sdk.Contributions{
		Navbar: []sdk.NavbarItem{{
			ID: "open", LabelKey: "item", Icon: "user", Areas: []sdk.Area{sdk.AdminArea, sdk.PortalArea},
			Action: sdk.OpenModal("/modal"), Visible: sdk.All(),
		}},
		Pages: []sdk.Page{page("/"), page("/modal"), page("/echo"), as(sdk.AnswersFile, "/file"), as(sdk.AnswersChoices, "/choices")},
	}})
}
