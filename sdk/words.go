package sdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-crm/understudy/sdk/manifest"
)

const (
	english       = "en"
	languageWait  = 2 * time.Second
	languageRetry = 5 * time.Second
)

// T returns the message of a key in the viewer's language. A message the language lacks is taken
// from its base language (es for es-MX), then from English; a key nobody knows is returned itself.
// Args are pairs of name and value that replace {name} in the message. The result is plain text:
// html/template escapes it.
func T(r *http.Request, key string, args ...any) string { return WordsFrom(r).T(key, args...) }

// WordsFrom returns the messages in the viewer's language, for the struct a template renders.
func WordsFrom(r *http.Request) Words { return callOf(r.Context()).words }

// Words is the module's messages in one language.
type Words struct {
	languages languageTable
	language  string
}

// T returns the message of a key, as the function T does.
func (w Words) T(key string, args ...any) string {
	message, ok := w.languages.message(w.language, key)
	if !ok {
		return key
	}
	return fill(message, args)
}

// Has reports whether any language of the chain has the key.
func (w Words) Has(key string) bool {
	_, ok := w.languages.message(w.language, key)
	return ok
}

// fill replaces each {name} once, in one pass: a value that holds braces stays as it is.
func fill(message string, args []any) string {
	if len(args) < 2 {
		return message
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, fmt.Sprint("{", args[i], "}"), fmt.Sprint(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(message)
}

// languageTable holds messages by lower-case tag and key. It is never changed once made.
type languageTable map[string]map[string]string

func (t languageTable) message(tag, key string) (string, bool) {
	for tag = strings.ToLower(tag); tag != ""; {
		if message := t[tag][key]; message != "" {
			return message, true
		}
		cut := strings.LastIndexByte(tag, '-')
		tag = tag[:max(cut, 0)]
	}
	message, ok := t[english][key]
	return message, ok
}

// readLanguages reads languages/*.json of the embedded files.
func readLanguages(files fs.FS) (languageTable, error) {
	if files == nil {
		return nil, errors.New("Languages is not set; embed languages/*.json")
	}
	names, err := fs.Glob(files, "languages/*.json")
	if err != nil {
		return nil, err
	}
	table := languageTable{}
	for _, name := range names {
		file, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		messages, err := ReadLanguage(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		table[strings.ToLower(strings.TrimSuffix(path.Base(name), ".json"))] = messages
	}
	if table[english] == nil {
		return nil, errors.New("languages/en.json is missing; every other language falls back to it")
	}
	return table, nil
}

// ReadLanguage reads a language file, a flat JSON object of text by key, with or without a byte order
// mark. Invalid says what is wrong with it and names the key.
func ReadLanguage(file []byte) (map[string]string, error) {
	if len(file) > manifest.MaxTextsBytes {
		return nil, Errorf(TooLarge, "the file has %d bytes; %d are allowed", len(file), manifest.MaxTextsBytes)
	}
	messages, err := manifest.ParseTexts(file)
	if err != nil {
		return nil, Errorf(Invalid, "%w", err)
	}
	return messages, nil
}

// wordBook keeps the current table: the embedded files until the host says there is something
// newer, then the host's, which also holds what was dropped in and uploaded.
type wordBook struct {
	table atomic.Pointer[languageTable]

	mu       sync.Mutex
	asked    bool
	revision uint64
	retryAt  time.Time
	now      func() time.Time
}

func newWordBook(table languageTable) *wordBook {
	b := &wordBook{now: time.Now}
	b.table.Store(&table)
	return b
}

func (b *wordBook) in(language string) Words {
	return Words{languages: *b.table.Load(), language: language}
}

// all returns a copy of the table.
func (b *wordBook) all() map[string]map[string]string {
	all := map[string]map[string]string{}
	for tag, messages := range *b.table.Load() {
		all[tag] = maps.Clone(messages)
	}
	return all
}

// refresh fetches the languages when revision is not the one at hand. It never fails a page: with
// no answer the old messages stay, and the next try waits a little.
func (b *wordBook) refresh(ctx context.Context, languages Languages, revision uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if (b.asked && revision <= b.revision) || b.now().Before(b.retryAt) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, languageWait)
	defer cancel()
	list, listed, err := languages.List(ctx)
	if err != nil {
		b.retryAt = b.now().Add(languageRetry)
		slog.WarnContext(ctx, "languages: not refreshed", "error", err)
		return
	}
	table := languageTable{}
	for _, language := range list {
		table[strings.ToLower(language.Tag)] = language.Messages
	}
	if table[english] == nil {
		table[english] = (*b.table.Load())[english]
	}
	b.table.Store(&table)
	// A list that lags behind its own announcement must not be fetched on every page.
	b.asked, b.revision = true, max(listed, revision)
}
