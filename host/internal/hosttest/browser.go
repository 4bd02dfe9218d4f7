package hosttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

// chromium is the browser process of this test process: started once, at the first need, and
// killed by the kernel when the test process ends. Each [Browser] has a context of its own in it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	program, err := chromiumProgram()
	if err != nil {
		return nil, err
	}
	profile, err := processDir("chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(profile),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("force-device-scale-factor", "1"),
		// A process kept in reserve per tab is most of the work of a test that opens few pages.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return ctx, nil
})

func chromiumProgram() (string, error) {
	if named := os.Getenv("UNDERSTUDY_TEST_BROWSER"); named != "" {
		return named, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "chrome.exe"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium in PATH: install chromium, or name one in UNDERSTUDY_TEST_BROWSER")
}

// Browser is one person at one tab of a real browser. Elements are named as that person would: by
// role and accessible name, or by the text on the screen. Whatever is asked for may still be on
// its way: every method waits up to Patience, then fails the test with what it looked for, the
// address and a picture. Not for use by several goroutines.
type Browser struct {
	Patience time.Duration

	t      testing.TB
	tab    context.Context
	within []place // from the outside in; empty means the whole page
	events *events
	media  map[string]string
	silent bool // scripts are off
}

// events is what a tab told us; its methods are called by chromedp's reader.
type events struct {
	mu      sync.Mutex
	errors  []string
	loading bool
	dialogs chan string
}

// NewBrowser opens a browser of its own, with no cookies, until the test ends.
// Without Chromium the test is [Missing] "browser".
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	process, err := chromium()
	if err != nil {
		Missing(t, "browser", err.Error())
	}
	return newTab(t, process, chromedp.WithNewBrowserContext())
}

// NewTab opens another tab of the same browser: the cookies are shared.
func (b *Browser) NewTab() *Browser {
	b.t.Helper()
	tab := newTab(b.t, b.tab)
	tab.Patience = b.Patience
	return tab
}

func newTab(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *Browser {
	t.Helper()
	b := &Browser{Patience: Patience, t: t, media: map[string]string{}, events: &events{}}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.events.note))...)
	b.tab = ctx
	b.events.dialogs = make(chan string, 16)
	t.Cleanup(cancel)
	go b.answerDialogs()
	b.Viewport(1280, 800)
	return b
}

// note runs on chromedp's reader: it must not wait for the browser.
func (e *events) note(event any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch event := event.(type) {
	case *page.EventFrameStartedNavigating, *page.EventFrameRequestedNavigation, *page.EventFrameStartedLoading:
		e.loading = true
	case *page.EventFrameStoppedLoading:
		e.loading = false
	case *page.EventJavascriptDialogOpening:
		e.errors = append(e.errors, fmt.Sprintf("dialog (%s): %s", event.Type, event.Message))
		select {
		case e.dialogs <- event.Message:
		default:
		}
	case *runtime.EventExceptionThrown:
		e.errors = append(e.errors, (&chromedp.ExceptionError{ExceptionDetails: event.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if event.Type == "error" || event.Type == "assert" {
			var said []string
			for _, arg := range event.Args {
				said = append(said, strings.Trim(string(arg.Value)+arg.Description, `"`))
			}
			e.errors = append(e.errors, "console: "+strings.Join(said, " "))
		}
	case *cdplog.EventEntryAdded:
		if event.Entry.Level == "error" {
			e.errors = append(e.errors, strings.TrimSpace(fmt.Sprintf("%s: %s %s", event.Entry.Source, event.Entry.Text, event.Entry.URL)))
		}
	}
}

// answerDialogs accepts alert, confirm and the like, which would otherwise stop the page for ever.
func (b *Browser) answerDialogs() {
	for {
		select {
		case <-b.tab.Done():
			return
		case <-b.events.dialogs:
			_, _ = chromedp.Call(b.tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}
}

// Open goes to the address and waits until the page is loaded.
func (b *Browser) Open(url string) {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		b.failf("open %s: %v", url, err)
	}
}

// Reload asks for the page again.
func (b *Browser) Reload() {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		b.failf("reload: %v", err)
	}
}

// URL is the address in the address bar.
func (b *Browser) URL() string {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	url, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		b.t.Fatalf("the browser's address: %v", err)
	}
	return url
}

// WaitURL waits until the address ends with the suffix.
func (b *Browser) WaitURL(suffix string) {
	b.t.Helper()
	b.wait("an address ending in "+suffix, func() (bool, string) { return strings.HasSuffix(b.URL(), suffix), "" })
}

// Eval runs a JavaScript expression in the page, awaits its promise, and stores the result in out
// as JSON would; nil drops it.
func (b *Browser) Eval(js string, out any) {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	raw, err := evaluate(ctx, js)
	if err != nil {
		b.failf("evaluate %s: %v", js, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(raw, out); err != nil {
		b.failf("evaluate %s: result %s: %v", js, raw, err)
	}
}

func evaluate(ctx context.Context, js string) ([]byte, error) {
	res, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{
		Expression: js, ReturnByValue: new(true), AwaitPromise: new(true), UserGesture: new(true),
	})
	if err != nil {
		return nil, err
	}
	if res.ExceptionDetails != nil {
		return nil, &chromedp.ExceptionError{ExceptionDetails: res.ExceptionDetails}
	}
	if len(res.Result.Value) == 0 {
		return []byte("null"), nil
	}
	return res.Result.Value, nil
}

// Cookie is the page's cookie of that name, nil when there is none.
func (b *Browser) Cookie(name string) *http.Cookie {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	res, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		b.t.Fatalf("read the cookies: %v", err)
	}
	for _, cookie := range res.Cookies {
		if cookie.Name != name {
			continue
		}
		found := &http.Cookie{Name: cookie.Name, Value: cookie.Value, Domain: cookie.Domain, Path: cookie.Path, Secure: cookie.Secure, HttpOnly: cookie.HTTPOnly, SameSite: sameSite[cookie.SameSite]}
		if !cookie.Session {
			found.Expires = time.Unix(int64(cookie.Expires), 0)
		}
		return found
	}
	return nil
}

var sameSite = map[network.CookieSameSite]http.SameSite{
	network.CookieSameSiteStrict: http.SameSiteStrictMode,
	network.CookieSameSiteLax:    http.SameSiteLaxMode,
	network.CookieSameSiteNone:   http.SameSiteNoneMode,
}

// SetCookie gives the browser a cookie for the address, as a response from there would.
func (b *Browser) SetCookie(url string, cookie *http.Cookie) {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	params := network.SetCookieParams{URL: url, Name: cookie.Name, Value: cookie.Value, Path: cookie.Path, Domain: cookie.Domain, Secure: &cookie.Secure, HTTPOnly: &cookie.HttpOnly}
	for cdp, mode := range sameSite {
		if mode == cookie.SameSite {
			params.SameSite = cdp
		}
	}
	if _, err := chromedp.Call(ctx, network.SetCookie, params); err != nil {
		b.t.Fatalf("set the cookie %s: %v", cookie.Name, err)
	}
}

// AnyCertificate lets pages be served by a certificate nobody vouches for, as tests' are.
func (b *Browser) AnyCertificate() {
	b.t.Helper()
	if _, err := chromedp.Call(b.tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true}); err != nil {
		b.t.Fatalf("take any certificate: %v", err)
	}
}

// Viewport sets the size of the page's area.
func (b *Browser) Viewport(width, height int64) {
	b.t.Helper()
	if err := chromedp.Do(b.tab, chromedp.EmulateViewport(width, height)); err != nil {
		b.t.Fatalf("set the viewport: %v", err)
	}
}

// ColorScheme makes the person prefer "dark" or "light".
func (b *Browser) ColorScheme(scheme string) {
	b.t.Helper()
	b.prefer("prefers-color-scheme", scheme)
}

// ReducedMotion says whether the person asked for less movement.
func (b *Browser) ReducedMotion(reduced bool) {
	b.t.Helper()
	value := "no-preference"
	if reduced {
		value = "reduce"
	}
	b.prefer("prefers-reduced-motion", value)
}

// Print lays pages out as on paper, or again as on a screen.
func (b *Browser) Print(paper bool) {
	b.t.Helper()
	medium := "screen"
	if paper {
		medium = "print"
	}
	b.prefer("", medium)
}

// prefer sets a feature of the medium, or with the empty name the medium itself.
func (b *Browser) prefer(feature, value string) {
	b.t.Helper()
	b.media[feature] = value
	params := emulation.SetEmulatedMediaParams{Media: b.media[""]}
	for name, value := range b.media {
		if name == "" {
			continue
		}
		params.Features = append(params.Features, &emulation.MediaFeature{Name: name, Value: value})
	}
	if _, err := chromedp.Call(b.tab, emulation.SetEmulatedMedia, params); err != nil {
		b.t.Fatalf("prefer %s: %v", value, err)
	}
}

// JavaScript switches the scripts of the pages opened from now on.
func (b *Browser) JavaScript(enabled bool) {
	b.t.Helper()
	b.silent = !enabled
	if _, err := chromedp.Call(b.tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !enabled}); err != nil {
		b.t.Fatalf("switch scripts: %v", err)
	}
}

// ConsoleErrors is what went wrong in the tab so far: uncaught exceptions, console.error, failed
// requests, breaches of the Content-Security-Policy, and script dialogs, which are accepted.
func (b *Browser) ConsoleErrors() []string {
	b.events.mu.Lock()
	defer b.events.mu.Unlock()
	return slices.Clone(b.events.errors)
}

// Screenshot saves a picture of what is on the screen, as PNG.
func (b *Browser) Screenshot(path string) {
	b.t.Helper()
	if err := b.screenshot(path); err != nil {
		b.t.Fatal(err)
	}
}

func (b *Browser) screenshot(path string) error {
	ctx, cancel := b.patient()
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("take a screenshot: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("save a screenshot: %w", err)
	}
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		return fmt.Errorf("save a screenshot: %w", err)
	}
	return nil
}

// Axe runs axe-core on the page and returns its violations, one readable line per element. With
// rules, such as "color-contrast", only these are asked.
// Without the file of `make assets` the test is [Missing] "assets".
func (b *Browser) Axe(rules ...string) []string {
	b.t.Helper()
	source, err := os.ReadFile(filepath.Join(Root(b.t), "host/internal/hosttest/testdata/axe.min.js"))
	if err != nil {
		Missing(b.t, "assets", "run make assets: "+err.Error())
	}
	var violations []struct {
		ID, Impact, Help string
		Nodes            []struct {
			Target         []any
			HTML           string
			FailureSummary string
		}
	}
	// Through the devtools, whose scripts no Content-Security-Policy stops.
	b.Eval("void (window.axe || (() => {"+string(source)+"})())", nil)
	options := map[string]any{"resultTypes": []string{"violations"}}
	if len(rules) > 0 {
		options["runOnly"] = map[string]any{"type": "rule", "values": rules}
	}
	wanted, err := json.Marshal(options)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Eval("axe.run("+string(wanted)+").then(result => result.violations)", &violations)
	var lines []string
	for _, violation := range violations {
		for _, node := range violation.Nodes {
			lines = append(lines, fmt.Sprintf("%s (%s): %s: %v %s: %s", violation.ID, violation.Impact, violation.Help,
				node.Target, node.HTML, strings.Join(strings.Fields(node.FailureSummary), " ")))
		}
	}
	return lines
}

func (b *Browser) patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.tab, max(b.Patience, time.Second))
}

const pollInterval = 40 * time.Millisecond

// wait tries until it works, and fails the test when Patience ends, saying what was looked for
// and the last reason why it wasn't there.
func (b *Browser) wait(what string, try func() (ok bool, why string)) {
	b.t.Helper()
	if why, ok := b.waitFor(b.Patience, try); !ok {
		if why != "" {
			why = ": " + why
		}
		b.failf("waited %s for %s%s", b.Patience, what, why)
	}
}

func (b *Browser) waitFor(patience time.Duration, try func() (ok bool, why string)) (string, bool) {
	for deadline := time.Now().Add(patience); ; {
		ok, why := try()
		if ok {
			return "", true
		}
		if time.Now().After(deadline) || b.tab.Err() != nil {
			return why, false
		}
		time.Sleep(pollInterval)
	}
}

// settle waits for what an act set in motion: a page that began to load is loaded.
func (b *Browser) settle() {
	ctx, cancel := b.patient()
	defer cancel()
	if b.silent {
		time.Sleep(pollInterval)
	} else {
		// A turn of the page's event loop: a form submitted by the act is on its way after it.
		// It fails when the page goes away meanwhile, which is what it waits for.
		_, _ = evaluate(ctx, "new Promise(done => setTimeout(done, 10))")
	}
	b.waitFor(b.Patience, func() (bool, string) {
		b.events.mu.Lock()
		defer b.events.mu.Unlock()
		return !b.events.loading, "the page is loading"
	})
}

var notFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// failf ends the test with the message, the address and a picture.
func (b *Browser) failf(format string, args ...any) {
	b.t.Helper()
	message := fmt.Sprintf(format, args...) + "\n  at " + b.URL()
	for i, place := range b.within {
		message += fmt.Sprintf("\n  within %s%s", strings.Repeat("  ", i), place)
	}
	folder := os.Getenv("UNDERSTUDY_TEST_SCREENSHOTS")
	if folder == "" {
		folder = filepath.Join(Root(b.t), "dist", "screenshots")
	}
	picture := filepath.Join(folder, fmt.Sprintf("%s-%d.png", notFileName.ReplaceAllString(b.t.Name(), "-"), time.Now().UnixMilli()))
	if err := b.screenshot(picture); err != nil {
		picture = err.Error()
	}
	message += "\n  picture: " + picture
	if errs := b.ConsoleErrors(); len(errs) > 0 {
		message += "\n  console: " + strings.Join(errs, "\n           ")
	}
	b.t.Fatalf("%s", message)
}
