package module

import (
	"slices"
	"strings"
	"testing"
)

func TestScriptsThatAreWrittenTogetherAreNoMix(t *testing.T) {
	for _, name := range []string{
		"", "Impersonation", "Übersetzung 2.0 – naïve", "Импорт", "Εισαγωγή", "取り込み Import カード", "導入ㄅ Import", "가져오기 導入 Import",
		"شركة Acme", "יבוא CRM", "आयात CRM", "Импорт 2.0 №1", "e\u0301te\u0301", "😀 Fun", "خانه\u200cام",
	} {
		if scripts := mixedScripts(name); scripts != nil {
			t.Errorf("%s: %v", name, scripts)
		}
	}
	for name, want := range map[string]string{
		"Imp\u0435rsonation": "Cyrillic Latin", "\u0391cme": "Greek Latin", "Acme \u0420оссия": "Cyrillic Latin", "\u0555cme": "Armenian Latin",
		"\u13aacme": "Cherokee Latin", "حroot\u0430": "Arabic Cyrillic Latin", "カード가": "Hangul Katakana", "חא\u0430": "Cyrillic Hebrew",
		"आయ": "Devanagari Telugu",
	} {
		if scripts := mixedScripts(name); strings.Join(scripts, " ") != want {
			t.Errorf("%s: %v, want %s", name, scripts, want)
		}
	}
}

func TestANameThatMixesScriptsIsShownWithAWarning(t *testing.T) {
	needLinux(t)
	s := newStage(t, nil)
	mixed := strings.Replace(kit{}.manifest(), `"name": "Sample"`, "\"name\": \"S\u0430mple\"", 1)
	mixed = strings.Replace(mixed, `"author": "Understudy"`, "\"author\": \"Understud\u03b3\"", 1)
	data := zipOf(t, small(func(files map[string]string) { files["module.json"] = mixed }))
	r, err := s.m.Upload(t.Context(), s.ann.Who(), "sample.zip", strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{}
	for _, w := range r.Warnings {
		keys = append(keys, w.Key)
	}
	if !slices.Equal(keys, []string{"module_name_mixed", "module_author_mixed"}) || len(r.Problems) > 0 {
		t.Errorf("%v, problems %v", keys, r.Problems)
	}
	if again, err := s.m.Review(t.Context(), s.ann.Who(), r.StagedID); err != nil || len(again.Warnings) != 2 {
		t.Errorf("shown again: %v %v", again.Warnings, err)
	}
	plain, err := s.m.Upload(t.Context(), s.ann.Who(), "sample.zip", strings.NewReader(string(zipOf(t, small(nil)))))
	if err != nil || len(plain.Warnings) > 0 {
		t.Errorf("%v %v", plain.Warnings, err)
	}
}
