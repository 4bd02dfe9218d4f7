package module

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

const english = "en"

// maxMessages bounds one language file.
const maxMessages = 5000

// languageFile is a language file: text by key, flat.
type languageFile map[string]string

// isLanguageFile tells the files of a package that hold its texts.
func isLanguageFile(name string) bool {
	return path.Dir(name) == "languages" && path.Ext(name) == ".json"
}

// tagOf is the language a file is for, in its usual spelling; an error when its name is no tag.
func tagOf(name string) (string, error) {
	return cleanTag(strings.TrimSuffix(path.Base(name), ".json"))
}

func cleanTag(s string) (string, error) {
	tag, err := language.Parse(s)
	if err != nil || tag == language.Und || len(s) > 35 {
		return "", fmt.Errorf("%q is no language tag such as \"es\" or \"pt-BR\"", printable(s))
	}
	return tag.String(), nil
}

// parseLanguageFile reads a file whose name says its language.
func parseLanguageFile(name string, file []byte) (languageFile, error) {
	if _, err := tagOf(name); err != nil {
		return nil, err
	}
	return parseMessages(file)
}

// parseMessages reads a flat JSON object of text by key.
func parseMessages(file []byte) (languageFile, error) {
	messages, err := manifest.ParseTexts(file)
	if err != nil {
		return nil, err
	}
	if len(messages) > maxMessages {
		return nil, fmt.Errorf("it has %d texts; %d are allowed", len(messages), maxMessages)
	}
	return messages, nil
}

// texts are a module's messages by language. It never changes once made.
type texts struct {
	byTag    map[string]languageFile
	uploaded map[string]bool
	uploads  digest // of the uploaded files
}

// sumUploads is by what uploaded files are known again.
func sumUploads(files []crm.ModuleLanguage) digest {
	all := sha256.New()
	for _, f := range files {
		fmt.Fprintf(all, "%q %q\n", f.Tag, f.File)
	}
	return digest(all.Sum(nil))
}

// text is the message of a key in a language, or in its base language, or in English, or the key
// itself; {name} is replaced by args["name"].
func (t *texts) text(tag, key string, args map[string]any) string {
	message, ok := t.find(tag, key)
	if !ok {
		return key
	}
	return fill(message, args)
}

func (t *texts) has(key string) bool { return t.byTag[english][key] != "" }

func (t *texts) find(tag, key string) (string, bool) {
	for tag != "" {
		if message := t.byTag[tag][key]; message != "" {
			return message, true
		}
		tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
	}
	message := t.byTag[english][key]
	return message, message != ""
}

// fill replaces each placeholder once, so that a value with braces stays as it is.
func fill(message string, args map[string]any) string {
	if len(args) == 0 || !strings.Contains(message, "{") {
		return message
	}
	var pairs []string
	for name, value := range args {
		pairs = append(pairs, "{{."+name+"}}", fmt.Sprint(value), "{"+name+"}", fmt.Sprint(value))
	}
	return strings.NewReplacer(pairs...).Replace(message)
}

// languageLayer is a set of language files by tag; a later layer goes over an earlier one.
type languageLayer map[string]languageFile

func mergeLanguages(uploads languageLayer, layers ...languageLayer) *texts {
	t := &texts{byTag: map[string]languageFile{}, uploaded: map[string]bool{}}
	for _, layer := range append(layers, uploads) {
		for tag, messages := range layer {
			if t.byTag[tag] == nil {
				t.byTag[tag] = languageFile{}
			}
			maps.Copy(t.byTag[tag], messages)
		}
	}
	for tag := range uploads {
		t.uploaded[tag] = true
	}
	return t
}

// equal tells whether two sets say the same.
func (t *texts) equal(other *texts) bool {
	return maps.EqualFunc(t.byTag, other.byTag, maps.Equal) && maps.Equal(t.uploaded, other.uploaded) && t.uploads == other.uploads
}

// tags are the languages there are, in order.
func (t *texts) tags() []string { return slices.Sorted(maps.Keys(t.byTag)) }

// readLanguageFolder reads the *.json of a folder that isn't there more often than it is. A file
// that can't be read is reported and left out: a translator's slip must not stop a module.
func readLanguageFolder(root fs.FS, folder string, report func(file string, err error)) languageLayer {
	layer := languageLayer{}
	files, _ := fs.Glob(root, path.Join(folder, "*.json"))
	for _, name := range files[:min(len(files), 200)] {
		tag, err := tagOf(name)
		if err == nil {
			var messages languageFile
			if messages, err = readMessages(root, name); err == nil {
				layer[tag] = messages
				continue
			}
		}
		report(name, err)
	}
	return layer
}

func readMessages(root fs.FS, name string) (languageFile, error) {
	info, err := fs.Stat(root, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxLanguageFile {
		return nil, fmt.Errorf("it is no file of at most %d bytes", maxLanguageFile)
	}
	file, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	return parseMessages(file)
}

// fingerprint changes when a file of one of the folders is added, removed or rewritten. It reads
// no contents.
func fingerprint(root fs.FS, folders ...string) string {
	var out strings.Builder
	for _, folder := range folders {
		list, _ := fs.ReadDir(root, folder)
		for _, e := range list[:min(len(list), 400)] {
			if info, err := e.Info(); err == nil {
				fmt.Fprintf(&out, "%s/%s %d %d\n", folder, e.Name(), info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return out.String()
}
