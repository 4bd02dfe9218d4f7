package manifest

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

func TestAByteOrderMarkIsAccepted(t *testing.T) {
	m, err := Parse([]byte(byteOrderMark + good))
	if err != nil || m.ID != "example" {
		t.Errorf("module.json: %v", err)
	}
	texts, err := ParseTexts([]byte(byteOrderMark + `{"hello": "Hello"}`))
	if err != nil || !maps.Equal(texts, map[string]string{"hello": "Hello"}) {
		t.Errorf("a language file: %v %v", texts, err)
	}
}

func TestTextsOfEveryLanguageAreRead(t *testing.T) {
	want := map[string]string{
		"lines":      "one\ntwo\tthree",
		"arabic":     "\u200fمرحبا\u200e \u2068{name}\u2069",
		"persian":    "می\u200cخواهم",
		"family":     "\U0001F468\u200d\U0001F469\u200d\U0001F467",
		"new.Emoji ": "\U0001FAE9",
		"":           "",
	}
	file, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseTexts(file); err != nil || !maps.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	if got, err := ParseTexts([]byte("{}")); err != nil || got == nil {
		t.Errorf("%v %v", got, err)
	}
}

func TestWhatIsWrongWithALanguageFileIsSaidWithItsKey(t *testing.T) {
	for name, test := range map[string]struct{ file, says string }{
		"nothing":              {"", "ends too early"},
		"null":                 {"null", "one JSON object"},
		"a list":               {"[]", "one JSON object"},
		"something behind":     {"{} {}", "goes on after its end"},
		"a comma too many":     {`{"a": "b",}`, "not valid JSON"},
		"a key twice":          {`{"a": "b", "c": "d", "a": "b"}`, "a: is given twice"},
		"a key twice, escaped": {`{"a": "b", "\u0061": "c"}`, "a: is given twice"},
		"an object":            {`{"a": {"b": "c"}}`, "a: must be a text"},
		"a key twice inside":   {`{"a": {"b": "c", "b": "d"}}`, "a.b: is given twice"},
		"a number":             {`{"a": 1}`, "a: must be a text"},
		"null as a text":       {`{"a": null}`, "a: must be a text"},
		"not UTF-8":            {"{\"a\": \"\xff\"}", "not UTF-8"},
		"UTF-16":               {"\xff\xfe{\x00}\x00", "not UTF-8"},
		"half a surrogate":     {`{"a": "\ud800"}`, "a: holds the character U+FFFD"},
		"a bell":               {`{"a": "\u0007"}`, "a: holds the character U+0007"},
		"an escape":            {`{"a": "\u001b[2J"}`, "a: holds the character U+001B"},
		"a C1 control":         {`{"a": "\u0085"}`, "a: holds the character U+0085"},
		"NUL":                  {`{"a": "\u0000"}`, "a: holds the character U+0000"},
		"a turn":               {`{"a": "x\u202ey"}`, "a: holds the character U+202E"},
		"a line break in keys": {`{"a\nb": "c"}`, `the key "a\nb" holds the character U+000A`},
		"a turn in keys":       {`{"a\u202eb": "c"}`, `the key "a\u202eb" holds`},
		"deep":                 {strings.Repeat(`{"a":`, 50_000), "nested too deep"},
		"too long":             {"{}" + strings.Repeat(" ", MaxTextsBytes), "are allowed"},
	} {
		texts, err := ParseTexts([]byte(test.file))
		if err == nil || !strings.Contains(err.Error(), test.says) || texts != nil {
			t.Errorf("%s: %v, %v; wanted %q", name, texts, err, test.says)
		}
	}
}

// FuzzTexts holds that what is accepted is JSON that says the same to encoding/json.
func FuzzTexts(f *testing.F) {
	f.Add([]byte(byteOrderMark + `{"a": "b", "c": "\n\u200f\ud83d\ude00"}`))
	f.Add([]byte(`{"a": "b", "a": "c"}`))
	f.Add([]byte(`{"a": {"b": ["c"]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		texts, err := ParseTexts(file)
		if err != nil {
			return
		}
		var plain map[string]string
		if err := json.Unmarshal(WithoutMark(file), &plain); err != nil || !maps.Equal(plain, texts) {
			t.Fatalf("encoding/json reads %q, %v, and we %q", plain, err, texts)
		}
	})
}
