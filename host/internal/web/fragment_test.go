package web

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func exampleRules() fragmentRules {
	return fragmentRules{here: &url.URL{Path: "/crm/admin/m/x/log"}, base: "/crm", root: "/crm/admin/m/x"}
}

func TestAFragmentIsCleaned(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`<p>a<script src="/crm/m/x/a.js"></script>b`, `<p>ab</p>`},
		{`</div></main><b>x`, `<b>x</b>`},
		{`<form method="post" action="/crm/admin/staff/1"><i>x`, `<form><i>x</i></form>`},
		{`<form method="post" action="/crm/session/switch"></form>`, `<form method="post" action="/crm/session/switch"></form>`},
		{`<form><div></form><form id="b">`, `<form><div></div></form>`},
		{`<button formaction="/crm/session/switch" form="f">x`, `<button>x</button>`},
		{`<a href="javascript:x()" onclick="x()" style="x">x</a>`, `<a>x</a>`},
		{"<a href=\"java\nscript:x()\">x</a>", `<a>x</a>`},
		{`<a href="//evil.example/">x</a>`, `<a>x</a>`},
		{`<a href="/\evil.example">x</a>`, `<a>x</a>`},
		{`<a href="https://evil.example" target="_blank">x</a>`, `<a>x</a>`},
		{`<a href="/crm/admin/staff/1">x</a>`, `<a href="/crm/admin/staff/1">x</a>`},
		{`<a href="?q=1">x</a><a href="#y">y</a>`, `<a href="/crm/admin/m/x/log?q=1">x</a><a href="#y">y</a>`},
		{`<img src="/crm/assets/1/a.png"><img src="data:x"><img src="/crm/logout">`, `<img src="/crm/assets/1/a.png"><img><img>`},
		{`<select data-search-url="/crm/admin/m/x/../y/find">`, `<select></select>`},
		{`<select data-search-url="/crm/admin/m/x/%2e%2e/y">`, `<select></select>`},
		{`<noscript>&lt;script&gt;<form action="/crm/admin/m/x/start"></form></noscript>`, `<noscript>&lt;script&gt;<form action="/crm/admin/m/x/start"></form></noscript>`},
		{`<i hx-get="/x" data-hx-get="/x" data-upload srcdoc="x" "x=1>a</i>`, `<i>a</i>`},
		{`<svg><script>x</script></svg><!-- x -->y`, `y`},
		{`<input type="file" name="f" accept=".json,application/json" required aria-describedby="l" maxlength="4" value="">`, `<input type="file" name="f" accept=".json,application/json" required aria-describedby="l" maxlength="4" value="">`},
		{`<a download href="/crm/admin/m/x/l?tag=a&amp;b=c" title="t"><bdi dir="ltr" lang="ar"><time datetime="2026">x</time></bdi></a>`, `<a download href="/crm/admin/m/x/l?tag=a&amp;b=c" title="t"><bdi dir="ltr" lang="ar"><time datetime="2026">x</time></bdi></a>`},
		{"<textarea rows=\"2\">\n\nx</textarea>", "<textarea rows=\"2\">\n\nx</textarea>"},
	} {
		in, want := c.in, c.want
		if got, err := exampleRules().clean(in); err != nil || got != want {
			t.Errorf("%s\nbecomes %s (%v)\nwant    %s", in, got, err, want)
		}
	}
}

func FuzzFragment(f *testing.F) {
	for _, seed := range []string{`<form><div></form><form>`, `<noscript><noscript></noscript><script>`, `<table><form><tr><td></form>`, `<svg><p><style><a title="</style><script>">`, `<a><table><a>`, `<select><form>`, `</div><script>`, `<b onx=1 "<script=1>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, err := exampleRules().clean(in)
		if err != nil {
			return
		}
		if strings.Contains(strings.ToLower(out), "<script") {
			t.Fatalf("%q becomes %q", in, out)
		}
		doc, err := html.Parse(strings.NewReader(`<body><div id=x>` + out + `</div><form id=after></form>`))
		if err != nil {
			return
		}
		kept := false
		for n := range doc.Descendants() {
			for _, a := range n.Attr {
				kept = kept || n.Data == "form" && a.Key == "id" && a.Val == "after" && n.Parent.Data == "body"
				if strings.HasPrefix(a.Key, "on") {
					t.Fatalf("%q becomes %q", in, out)
				}
			}
		}
		if !kept {
			t.Fatalf("%q reaches beyond its place: %q", in, out)
		}
	})
}

func TestOnlyHarmlessFilesPassAsTheyAre(t *testing.T) {
	for _, kind := range []string{"text/javascript", "image/svg+xml", "text/css", "application/xhtml+xml", "text/html;;", "", "text/csv, text/javascript"} {
		if got, how := fileHeaders(kind, `inline; filename="a.js"`); got != "application/octet-stream" || how != "attachment; filename=a.js" {
			t.Errorf("%q passes as %q, %q", kind, got, how)
		}
	}
	if got, how := fileHeaders("text/csv; charset=utf-8", `attachment; filename="a b.csv"`); got != "text/csv; charset=utf-8" || how != `attachment; filename="a b.csv"` {
		t.Error(got, how)
	}
}
