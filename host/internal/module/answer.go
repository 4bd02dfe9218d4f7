package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/module/fragment"
)

// Answers is what a declared page answers with. It is the host's question, declared before anybody
// asks for the page; what the answer calls itself decides nothing.
type Answers int

// The kinds of answers.
const (
	Fragment Answers = iota // HTML for the host's layout or a dialog
	Choices                 // data for a select that searches
	File                    // what a browser saves
)

// Answer is what the host makes of what a module answered. Location is set, or what Kind names: HTML,
// Choices or File.
type Answer struct {
	Status   int
	Location string // an address, not yet checked, that the browser is to be led to; then Kind means nothing
	Kind     Answers
	HTML     string     // of a fragment: clean, to be drawn inside the host's layout
	Choices  []byte     // JSON in the host's own writing
	File     FileAnswer // whoever gets it closes its Body

	explain func() []fragment.Removal // what was left out of a fragment, with lines; nil when nothing was
}

// FileAnswer is a file on its way. Type and Disposition are fit to be sent: a browser that is told so
// saves the file, whatever it holds.
type FileAnswer struct {
	Type, Disposition string
	Body              io.ReadCloser
}

// Answer asks a running module for one of its pages. It is the one way for anything of a module's to a
// browser: what comes back has been written anew by the host, or is a file to be saved. Its errors are
// those of a call, and "module_call_failed" for an answer that isn't what the page was declared to give.
func (m *Manager) Answer(ctx context.Context, q PageRequest) (Answer, error) {
	raw, err := m.servePage(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: raw.Status, Kind: raw.answers}
	if location := raw.Header.Get("Location"); location != "" && raw.Status >= 300 && raw.Status < 400 {
		a.Location = location
		return a, raw.Body.Close()
	}
	if a.Kind == File {
		a.File = fileAnswer(raw)
		return a, nil
	}
	defer raw.Body.Close()
	text, err := io.ReadAll(raw.Body) // which is bounded, in length and in time
	switch {
	case err != nil:
	case a.Kind == Choices:
		a.Choices, err = rewriteChoices(text)
	default:
		a.HTML, a.explain, err = m.cleanPage(q, raw, string(text))
	}
	if err != nil {
		return Answer{}, raw.running.gate.fault(ctx, "page "+q.Path, raw.id, err)
	}
	return a, nil
}

// passedTypes are the types of a module's files that are called by their name. No program of a
// browser's runs any of them.
var passedTypes = []string{
	"text/csv", "application/json", "text/plain", "application/pdf", "application/zip", "image/png", "image/jpeg", "image/gif", "image/webp",
}

// fileAnswer keeps of a file's header its type, where that is harmless, and its name.
func fileAnswer(raw pageResponse) FileAnswer {
	f := FileAnswer{Type: raw.Header.Get("Content-Type"), Body: raw.Body}
	if plain, _, err := mime.ParseMediaType(f.Type); err != nil || !slices.Contains(passedTypes, plain) {
		f.Type = "application/octet-stream"
	}
	name := map[string]string{}
	if _, params, err := mime.ParseMediaType(raw.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		name["filename"] = params["filename"]
	}
	if f.Disposition = mime.FormatMediaType("attachment", name); f.Disposition == "" {
		f.Disposition = "attachment"
	}
	return f
}

// cleanPage makes a fragment fit to be shown, and tells what was left out. Plain text is shown as text;
// any other type than HTML is no page.
func (m *Manager) cleanPage(q PageRequest, raw pageResponse, text string) (string, func() []fragment.Removal, error) {
	if said := raw.Header.Get("Content-Type"); said != "" {
		switch kind, _, err := mime.ParseMediaType(said); {
		case err == nil && kind == "text/plain":
			text = fragment.Plain(text)
		case err != nil || kind != "text/html":
			return "", nil, fmt.Errorf("it answered with %s, and was declared as a page: declare what it answers with, or answer with HTML", printable(said))
		}
	}
	rules := fragment.Rules{
		Module: q.Module, Here: &url.URL{Path: q.BasePath + q.Path, RawQuery: q.RawQuery}, Base: q.SitePath, Root: q.BasePath,
		Switches: m.Surface().MaySwitch(q.Module),
	}
	clean, removed, err := rules.Clean(text)
	if err != nil || len(removed) == 0 {
		return clean, nil, err
	}
	explain := func() []fragment.Removal { return rules.Explain(text) }
	raw.running.tellRemovals(q.Path, removed, explain)
	return clean, explain, nil
}

// choice is one of the results a select offers.
type choice struct {
	Value    string `json:"value"`
	Text     string `json:"text"`
	Detail   string `json:"detail,omitempty"`
	Reason   string `json:"reason,omitempty"` // why it can't be chosen
	Disabled bool   `json:"disabled,omitempty"`
}

// choices is the whole answer to a search.
type choices struct {
	Results []choice `json:"results"`
	Error   string   `json:"error,omitempty"` // a sentence for whoever searched
}

// The bounds on choices: what a person can look through, and what fits into a line.
const (
	maxChoicesFound = 200
	maxChoiceText   = 500
)

// rewriteChoices reads what a module found and writes it anew, cut to what a list may hold.
func rewriteChoices(text []byte) ([]byte, error) {
	var found choices
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, fmt.Errorf("it was declared to answer with choices: %w", err)
	}
	if len(found.Results) > maxChoicesFound {
		found.Results = found.Results[:maxChoicesFound]
	}
	if found.Results == nil {
		found.Results = []choice{}
	}
	for i := range found.Results {
		c := &found.Results[i]
		if len(c.Value) > maxChoiceText {
			return nil, errors.New("a value of its choices is too long")
		}
		c.Text, c.Detail, c.Reason = shorten(c.Text), shorten(c.Detail), shorten(c.Reason)
	}
	found.Error = shorten(found.Error)
	return json.Marshal(found) // < > & are escaped
}

func shorten(text string) string {
	if len(text) <= maxChoiceText {
		return text
	}
	return strings.ToValidUTF8(text[:maxChoiceText], "") + "…"
}

// maxTold bounds how many removals one line of the log names.
const maxTold = 5

// tellRemovals says in the module's log what was left out of a page, once per page and kind for as long
// as the process runs. explain finds the lines; it is asked only when there is something new to tell.
func (r *running) tellRemovals(path string, removed []fragment.Removal, explain func() []fragment.Removal) {
	told := r.untold(path, removed)
	if len(told) == 0 {
		return
	}
	found := explain()
	for _, kind := range told {
		var lines []string
		for _, one := range found {
			if one.Kind == kind {
				lines = append(lines, one.String())
			}
		}
		if len(lines) == 0 { // without lines, then
			lines = append(lines, "a thing of the kind “"+string(kind)+"”")
		}
		more := ""
		if len(lines) > maxTold {
			more = fmt.Sprintf("; and %d more", len(lines)-maxTold)
			lines = lines[:maxTold]
		}
		r.log.add("warn", "page "+path+": left out: "+strings.Join(lines, "; ")+more, "")
	}
}

// untold are the kinds among removals that haven't been told of a page yet; from now on they have.
func (r *running) untold(path string, removed []fragment.Removal) []fragment.Kind {
	const most = maxPages * 6 // pages that take what lies below them have any number of addresses
	var kinds []fragment.Kind
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range removed {
		key := string(one.Kind) + " " + path
		if r.told[key] || len(r.told) >= most {
			continue
		}
		if r.told == nil {
			r.told = map[string]bool{}
		}
		r.told[key] = true
		kinds = append(kinds, one.Kind)
	}
	return kinds
}
