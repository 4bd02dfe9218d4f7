package fragment

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/understudy-crm/understudy/sdk/markup"
)

func example() Rules {
	return Rules{Module: "x", Here: &url.URL{Path: "/crm/admin/m/x/log"}, Base: "/crm", Root: "/crm/admin/m/x"}
}

func switching() Rules {
	r := example()
	r.Switches = true
	return r
}

// Each line is what a module answers, and what is left of it.
func TestOnlyWhatIsListedIsLeft(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// Bytes.
		{"a\xc3<b>\xff</b>\xe2\x80", "a\uFFFD<b>\uFFFD</b>\uFFFD"},
		// Balance.
		{`<p>a<script src="/crm/m/x/a.js"></script>b`, `<p>ab</p>`},
		{`</div></main><b>x`, `<b>x</b>`},
		{`<table><tr><td>a<p>b`, `<table><tbody><tr><td>a<p>b</p></td></tr></tbody></table>`},
		{"<textarea rows=\"2\">\n\nx</textarea>", "<textarea rows=\"2\">\n\nx</textarea>"},
		{"<pre>\n\nx</pre>", "<pre>\n\nx</pre>"},
		// Elements.
		{`<svg><script>x</script></svg><!-- x -->y`, `y`},
		{`<math><mtext><img src=x onerror=y></math>z`, `z`},
		{`<dialog open>a</dialog><marquee>b</marquee><x-y>c</x-y>`, `bc`},
		{`<main>a</main><header>b</header>`, `ab`},
		{`<noscript>a</noscript><template>b</template><iframe>c</iframe>d`, `d`},
		{`<blink><p class="mb-3">x</p></blink>`, `<p class="mb-3">x</p>`},
		// Attributes and values.
		{`<i hx-get="/x" data-hx-get="/x" data-bs-toggle="modal" data-upload srcdoc="x" "x=1>a</i>`, `<i>a</i>`},
		{`<p style="position:fixed" onclick="x()" popover contenteditable accesskey="x" slot="y" is="z" nonce="n">a</p>`, `<p>a</p>`},
		{`<div aria-keyshortcuts="Alt+Shift+X" aria-modal="true" role="dialog">a</div>`, `<div>a</div>`},
		{`<div data-m-x="1" data-m-="2" data-until="x" data-follow data-copied>a</div>`, `<div data-m-x="1">a</div>`},
		{`<div hidden="until-found" tabindex="7" dir="RTL" lang="x y">a</div>`, `<div hidden dir="rtl">a</div>`},
		{`<button commandfor="a" command="show-modal" popovertarget="b" form="f" formtarget="_top">a</button>`, `<button>a</button>`},
		{`<th scope="col" colspan="2" width="9">a</th>`, `a`}, // outside a table there is none
		{`<table><tr><td colspan="100" rowspan="101">a<td colspan="0" rowspan="65534">b`, `<table><tbody><tr><td colspan="100">a</td><td>b</td></tr></tbody></table>`},
		{`<input name="q" pattern="(a+)+"><details name="a" open>b</details>`, `<input name="q"><details open>b</details>`},
		// Names.
		{
			`<p id="modal">a</p><a href="#modal">b</a><label for="modal">c</label>`,
			`<p id="m-x-modal">a</p><a href="#m-x-modal">b</a><label for="m-x-modal">c</label>`,
		},
		{`<p id="m-x-a" aria-labelledby="a m-x-b &quot;">a</p>`, `<p id="m-x-a" aria-labelledby="m-x-a m-x-b">a</p>`},
		{`<img name="cookie"><form name="querySelectorAll"></form>`, `<img><form action="/crm/admin/m/x/log"></form>`},
		{`<input list="l" name="q"><datalist id="l"></datalist>`, `<input list="m-x-l" name="q"><datalist id="m-x-l"></datalist>`},
		// Classes.
		{`<div class="card position-fixed top-0 vw-100 z-3 switch-banner modal show">a</div>`, `<div class="card">a</div>`},
		{`<a class="stretched-link" href="/crm/x">a</a>`, `<a href="/crm/x">a</a>`},
		// Fields.
		{`a<input type="password" name="p">b`, `ab`},
		{`a<input type=" PassWord " name="p"><input type="image" src="/x"><input type="other">b`, `ab`},
		{`<input autocomplete="one-time-code" name="otp"><input autocomplete="off" type="TEXT">`, `<input name="otp"><input autocomplete="off" type="text">`},
		{
			`<input type="file" name="f" accept=".json,application/json" required aria-describedby="l" maxlength="4" value="">`,
			`<input type="file" name="f" accept=".json,application/json" required aria-describedby="m-x-l" maxlength="4" value="">`,
		},
		{`<input name="parentNode"><input name="a.b[0]-c:d_"><button name="querySelector">x</button>`, `<input><input name="a.b[0]-c:d_"><button>x</button>`},
		// Addresses.
		{`<a href="javascript:x()">x</a>`, `<a>x</a>`},
		{"<a href=\"java\nscript:x()\">x</a>", `<a>x</a>`},
		{`<a href="//evil.example/">x</a>`, `<a>x</a>`},
		{`<a href="/\evil.example">x</a>`, `<a>x</a>`},
		{`<a href="https://evil.example" target="_blank">x</a>`, `<a>x</a>`},
		{`<a href="/crm/admin/staff/1">x</a>`, `<a href="/crm/admin/staff/1">x</a>`},
		{`<a href="/elsewhere">x</a>`, `<a>x</a>`},
		{`<a href="?q=1">x</a><a href="#y">y</a>`, `<a href="/crm/admin/m/x/log?q=1">x</a><a href="#m-x-y">y</a>`},
		{`<a data-modal href="/crm/admin/m/x/a">x</a><a data-modal href="/crm/admin/staff">y</a>`, `<a data-modal href="/crm/admin/m/x/a">x</a><a href="/crm/admin/staff">y</a>`},
		{`<img src="/crm/assets/1/a.png"><img src="data:x"><img src="/crm/logout"><img src="/crm/admin/m/x/p">`, `<img src="/crm/assets/1/a.png"><img><img><img src="/crm/admin/m/x/p">`},
		{`<select data-search-url="/crm/admin/m/x/../y/find"></select>`, `<select></select>`},
		{`<select data-search-url="/crm/admin/m/x/%2e%2e/y"></select>`, `<select></select>`},
		{
			`<a download href="/crm/admin/m/x/l?tag=a&amp;b=c" title="t"><bdi dir="ltr" lang="ar"><time datetime="2026">x</time></bdi></a>`,
			`<a download="" href="/crm/admin/m/x/l?tag=a&amp;b=c" title="t"><bdi dir="ltr" lang="ar"><time datetime="2026">x</time></bdi></a>`,
		},
		// Forms.
		{`<form method="post" action="/crm/admin/staff/1"><i>x`, `<i>x</i>`},
		{`<form method="post" action="/crm/session/switch"></form>`, ``},
		{`<form method="post" action="https://evil.example/crm/admin/m/x/"><b>x</b></form>`, `<b>x</b>`},
		{`<form method="POST" action="start"><input name="a"></form>`, `<form method="post" action="/crm/admin/m/x/start"><input name="a"></form>`},
		{`<form method="dialog"></form>`, `<form action="/crm/admin/m/x/log"></form>`},
		{`<form><div></form><form id="b">`, `<form action="/crm/admin/m/x/log"><div></div></form>`},
		{
			`<form><button formaction="/crm/session/restore" formmethod="get">x</button><button formaction="pin">y</button></form>`,
			`<form action="/crm/admin/m/x/log"><button>x</button><button formaction="/crm/admin/m/x/pin">y</button></form>`,
		},
	} {
		if got, _, err := example().Clean(c.in); err != nil || got != c.want {
			t.Errorf("%s\nbecomes %s (%v)\nwant    %s", c.in, got, err, c.want)
		}
	}
}

// With the grant a form may be sent to the session switch; a button may not turn one there.
func TestTheGrantOpensTheSwitchToForms(t *testing.T) {
	in := `<form method="post" action="/crm/session/switch"><button formaction="/crm/session/switch">a</button></form>`
	want := `<form method="post" action="/crm/session/switch"><button>a</button></form>`
	if got, _, err := switching().Clean(in); err != nil || got != want {
		t.Errorf("%s %v", got, err)
	}
	if got, _, _ := switching().Clean(`<form method="post" action="/crm/session/restore">a</form>`); got != "a" {
		t.Error(got)
	}
}

func TestPlainTextIsShownAsText(t *testing.T) {
	got, removed, err := example().Clean(Plain("<b>a</b> & \"b\"\n</p><script>"))
	if want := `<p class="pre-line">&lt;b&gt;a&lt;/b&gt; &amp; &#34;b&#34;` + "\n" + `&lt;/p&gt;&lt;script&gt;</p>`; err != nil || got != want || len(removed) > 0 {
		t.Errorf("%s %v %v", got, removed, err)
	}
}

// What is left out is told with its line and reason.
func TestWhatIsLeftOutIsTold(t *testing.T) {
	source := "<h3>a</h3>\n\n<div class=\"card\n position-fixed\">\n<script>\nx()\n</script>\n<p onclick=\"x\">b</p>\n" +
		"<form action=\"/crm/x\"><input type=password></form>\n<svg><a><b></svg><p id='a b'>c"
	want := []string{
		"line 3: <div> class position-fixed: the class is not on the list",
		"line 5: <script>: the element is not on the list of what a page may hold (with all it holds)",
		"line 8: <p> onclick: the attribute is not on the list of this element",
		`line 9: <form> action="/crm/x": the address leads where it may not (a form may lead to the module's own pages only)`,
		`line 9: <input> type="password": the field's type is not on the list (such a field may not stand on a module's page)`,
		"line 10: <svg>: the element is not on the list of what a page may hold (with all it holds)",
		`line 10: <p> id="a b": the value is not one the attribute may have`,
	}
	var got []string
	for _, r := range example().Explain(source) {
		got = append(got, r.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, removed, err := example().Clean(source)
	if err != nil || len(removed) != len(want) || removed[0].Line != 0 {
		t.Errorf("%v %v", removed, err)
	}
	if _, removed, _ := example().Clean(strings.Repeat("<b onx>a</b>", 1000)); len(removed) != maxRemovals {
		t.Errorf("%d are told", len(removed))
	}
}

// By a browser's rules a small source can become a huge page: what is left open is repeated at every
// paragraph. Here nothing is.
func TestASmallSourceDoesNotBecomeAHugePage(t *testing.T) {
	var open, titled strings.Builder
	for i := range 400 {
		fmt.Fprintf(&open, "<b title=%d>", i)
		fmt.Fprintf(&titled, "<i title=%d%s>", i, strings.Repeat("x", 5000))
	}
	for name, source := range map[string]string{
		"many open":       open.String() + strings.Repeat("<p>", 50_000),
		"open and closed": open.String() + strings.Repeat("<p>x</p>", 50_000),
		"long ones":       titled.String() + strings.Repeat("<p>", 700),
		"in svg":          "<svg><style>" + open.String() + "</style></svg>" + strings.Repeat("<p>", 50_000),
		"in tables":       strings.Repeat("<table><tr><td>"+"<b title=1><i title=2>", 20) + strings.Repeat("<p>", 50_000),
		"links":           strings.Repeat(`<a href="/crm/x"><p>`, 100),
		"careless rows":   "<table>" + strings.Repeat("<tr><td><b>a<td><i>b", 2000) + "</table>",
	} {
		if out, _, err := example().Clean(source); err != nil || len(out) > 4*len(source) {
			t.Errorf("%s: %d bytes become %d (%v)", name, len(source), len(out), err)
		}
	}
	if _, _, err := example().Clean(strings.Repeat(`<a href="?">x</a>`, 500_000)); err == nil {
		t.Error("a page that becomes too long is taken")
	}
}

func TestAFragmentThatNeverRestsIsRefused(t *testing.T) {
	for _, deep := range []string{strings.Repeat("<a><table>", 100), strings.Repeat("<b>", 5000), strings.Repeat("<div>", 5000) + "x"} {
		if out, _, err := example().Clean(deep); err == nil && strings.Contains(out, "<script") {
			t.Error(out)
		}
	}
}

// FuzzFragment holds what is left of anything against a second reader, written here by hand, that
// knows nothing but the lists, and against a browser's rules for a whole page with scripts.
func FuzzFragment(f *testing.F) {
	for _, seed := range []string{
		`<form><div></form><form>`, `<noscript><noscript></noscript><script>`, `<table><form><tr><td></form>`, `<a><table><a>`, `<select><form>`,
		`<svg><p><style><a title="</style><script>">`, `</div><script>`, `<b onx=1 "<script=1>`, `<math><mi><table><mglyph><style><!--</style><img title="--><img src=1 onerror=x>">`,
		`<textarea></textarea><img src=x>`, `<select><textarea></select><script>`, `<p><table><p id=a>`, `<ruby><rt><p></ruby>`, `<details open name=x><summary>`,
		`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`, "<pre>\n\n<b>", `<plaintext>x`, `<a href="#x" class="card fixed-top">`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, _, err := example().Clean(in)
		if err != nil {
			return
		}
		first := readStrictly(t, in, out)
		if again, _, err := example().Clean(out); err != nil || again != out {
			t.Fatalf("%q becomes %q and then %q (%v)", in, out, again, err)
		}
		doc, err := html.Parse(strings.NewReader(`<body><div id=x>` + out + `</div><p id=after></p></body>`))
		if err != nil {
			t.Fatal(err)
		}
		var second []string
		at := ""
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if id, _ := attribute(n, "id"); id == "x" || id == "after" {
				at += id + " in " + n.Parent.Data + ";"
			} else if strings.Contains(at, "x in") {
				second = append(second, n.Data)
			}
		}
		if strings.Join(first, " ") != strings.Join(second, " ") || at != "x in body;after in body;" {
			t.Fatalf("%q becomes %q: read by hand %v, by the parser %v, %s", in, out, first, second, at)
		}
	})
}

// readStrictly reads a clean fragment by the narrowest grammar there is, and returns its elements in
// their order: text without angle brackets, tags of the list, attributes in double quotes.
func readStrictly(t *testing.T, in, out string) (elements []string) {
	t.Helper()
	var open []string
	for rest := out; rest != ""; {
		if rest[0] != '<' {
			text, _, _ := strings.Cut(rest, "<")
			if strings.Contains(text, ">") {
				t.Fatalf("%q becomes %q: > in a text", in, out)
			}
			rest = rest[len(text):]
			continue
		}
		tag, after, whole := strings.Cut(rest[1:], ">")
		if !whole {
			t.Fatalf("%q becomes %q: an open tag", in, out)
		}
		rest = after
		if name, closing := strings.CutPrefix(tag, "/"); closing {
			if len(open) == 0 || open[len(open)-1] != name {
				t.Fatalf("%q becomes %q: </%s> closes %v", in, out, name, open)
			}
			open = open[:len(open)-1]
			continue
		}
		name := readTag(t, in, out, tag)
		elements = append(elements, name)
		if !strings.Contains(" br col hr img input wbr ", " "+name+" ") {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		t.Fatalf("%q becomes %q: %v stay open", in, out, open)
	}
	return elements
}

func readTag(t *testing.T, in, out, tag string) string {
	t.Helper()
	name, rest, _ := strings.Cut(tag, " ")
	if _, listed := markup.Elements[name]; !listed {
		t.Fatalf("%q becomes %q: <%s>", in, out, name)
	}
	for rest != "" {
		var key, value string
		cut := strings.IndexAny(rest, " =")
		if cut < 0 || rest[cut] == ' ' {
			key, rest, _ = strings.Cut(rest, " ")
		} else {
			key = rest[:cut]
			quoted, whole := strings.CutPrefix(rest[cut+1:], `"`)
			value, rest, _ = strings.Cut(quoted, `"`)
			if !whole || strings.ContainsAny(value, `<>`) {
				t.Fatalf("%q becomes %q: %s=%s", in, out, key, value)
			}
			rest = strings.TrimPrefix(rest, " ")
		}
		if _, listed := markup.Allowed(name, key); !listed && !strings.HasPrefix(key, "data-m-") {
			t.Fatalf("%q becomes %q: <%s %s>", in, out, name, key)
		}
		checkValue(t, out, key, html.UnescapeString(value))
	}
	return name
}

func checkValue(t *testing.T, out, key, value string) {
	t.Helper()
	switch key {
	case "id", "for", "list":
		for one := range strings.FieldsSeq(value) {
			if !strings.HasPrefix(one, "m-x-") {
				t.Fatalf("%q: %s=%s", out, key, value)
			}
		}
	case "href", "src", "action", "formaction", "data-search-url":
		if !strings.HasPrefix(value, "/crm/") && value != "/crm" && !strings.HasPrefix(value, "#m-x-") || strings.Contains(value, "..") && strings.Contains(value, "/../") {
			t.Fatalf("%q: %s=%s", out, key, value)
		}
	case "class":
		for one := range strings.FieldsSeq(value) {
			if !markup.HasClass(one) {
				t.Fatalf("%q: class %s", out, one)
			}
		}
	}
}
