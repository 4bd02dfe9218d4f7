package sdk_test

import (
	"fmt"
	"html/template"
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

// In a module of your own these two are embedded files.
var (
	helloManifest = []byte(`{
		"id": "hello", "name": "Hello", "version": "1.0.0", "author": "You",
		"requires": {"host": ">=3.1.0", "protocol": 1},
		"executables": {"linux/amd64": "bin/hello-linux-amd64"}
	}`)
	helloLanguages = fstest.MapFS{
		"languages/en.json": {Data: []byte(`{"hello": "Hello", "greeting": "Good day, {name}!"}`)},
		"languages/es.json": {Data: []byte(`{"greeting": "¡Buenos días, {name}!"}`)},
	}
	helloPage = template.Must(template.New("hello").Parse("<p>{{.}}</p>"))
)

func hello(w http.ResponseWriter, r *http.Request) {
	_ = helloPage.Execute(w, sdk.T(r, "greeting", "name", sdk.ViewerFrom(r).Subject.Name))
}

func helloModule() sdk.Module {
	return sdk.Module{
		Manifest:  helloManifest,
		Languages: helloLanguages,
		Contributions: sdk.Contributions{
			Navbar: []sdk.NavbarItem{{
				ID: "hello", LabelKey: "hello", Icon: "mood-smile",
				Areas: []sdk.Area{sdk.AdminArea}, Action: sdk.GoToPage("/"),
			}},
			Pages: []sdk.Page{{
				Path: "/", TitleKey: "hello", Areas: []sdk.Area{sdk.AdminArea},
				Visible: sdk.InArea(sdk.AdminArea), Handler: http.HandlerFunc(hello),
			}},
		},
	}
}

// The main function of a module is this one line.
func ExampleServe() {
	main := func() { sdk.Serve(helloModule()) }
	_ = main
}

// A test asks for a page as somebody.
func Example_test() {
	test := func(t *testing.T) {
		kit := sdktest.New(t, helloModule(), sdktest.Options{})
		ann := sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 1}, Name: "Ann Lee", Active: true}
		page := kit.Get("/", kit.Viewer(ann))
		fmt.Println(page.Status, page.Body)
	}
	_ = test
}

func TestHelloGreetsInTheViewersLanguage(t *testing.T) {
	kit := sdktest.New(t, helloModule(), sdktest.Options{})
	ann := sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 1}, Name: "Ann <Lee>", Active: true}
	for language, want := range map[string]string{
		"en": "<p>Good day, Ann &lt;Lee&gt;!</p>", "es-MX": "<p>¡Buenos días, Ann &lt;Lee&gt;!</p>",
		"fr": "<p>Good day, Ann &lt;Lee&gt;!</p>", "": "<p>Good day, Ann &lt;Lee&gt;!</p>",
	} {
		viewer := kit.Viewer(ann)
		viewer.Language = language
		if page := kit.Get("/", viewer); page.Status != http.StatusOK || page.Body != want {
			t.Errorf("%s: %d %s", language, page.Status, page.Body)
		}
	}
}

func TestUploadedLanguageTakesEffectWithoutRestart(t *testing.T) {
	kit := sdktest.New(t, helloModule(), sdktest.Options{})
	viewer := kit.Viewer(sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 1}, Name: "Ann", Active: true, Language: "fr"})
	if page := kit.Get("/", viewer); page.Body != "<p>Good day, Ann!</p>" {
		t.Fatalf("before: %s", page.Body)
	}
	kit.Host.Upload("fr", map[string]string{"greeting": "Bonjour {name} !"})
	if page := kit.Get("/", viewer); page.Body != "<p>Bonjour Ann !</p>" {
		t.Errorf("after: %s", page.Body)
	}
}

func TestHostAnswersForWhoMayNotOpenAPage(t *testing.T) {
	kit := sdktest.New(t, helloModule(), sdktest.Options{})
	jane := sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 1}, Name: "Jane", Active: true}
	if page := kit.Get("/", kit.Viewer(jane)); page.Status != http.StatusNotFound || !page.FromHost {
		t.Errorf("a contact got %d", page.Status)
	}
	if page := kit.Get("/other", kit.Viewer(jane)); page.Status != http.StatusNotFound {
		t.Errorf("an undeclared page got %d", page.Status)
	}
}
