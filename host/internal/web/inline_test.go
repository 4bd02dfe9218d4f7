package web

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// inlinePatterns are what the Content-Security-Policy forbids.
var inlinePatterns = []*regexp.Regexp{
	regexp.MustCompile(`(?i)<[^>]*\sstyle\s*=`),
	regexp.MustCompile(`(?i)<[^>]*\son[a-z]+\s*=`),
	regexp.MustCompile(`(?i)<script[^>]*>[^<]+</script>`),
	regexp.MustCompile(`(?i)<style`),
	regexp.MustCompile(`(?i)javascript:`),
	regexp.MustCompile(`(?i)(src|href)="https?://[^"]*\.(js|css|svg|png)"`),
}

func TestNothingInlineInTemplates(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal("no templates", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, inline := range inlinePatterns {
			if found := inline.Find(text); found != nil {
				t.Errorf("%s: %s", file, found)
			}
		}
	}
}
