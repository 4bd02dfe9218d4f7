package manifest

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxTextsBytes is the largest language file that is read.
const MaxTextsBytes = 256 << 10

// ParseTexts reads a language file: one flat JSON object of texts by key, in UTF-8, with or without a
// byte order mark. A key given twice is an error, and so is a character in a key or a text by which
// it could look like another; the error names the key. Line breaks and tabs are characters of texts.
func ParseTexts(file []byte) (map[string]string, error) {
	root, err := document(file, MaxTextsBytes)
	if err != nil {
		return nil, err
	}
	object, ok := root.(map[string]any)
	if !ok {
		return nil, errors.New("must be one JSON object { … } of texts by key")
	}
	texts := make(map[string]string, len(object))
	for _, key := range sortedKeys(object) {
		text, ok := object[key].(string)
		if !ok {
			return nil, fmt.Errorf("%s: must be a text in quotes", join("", key))
		}
		for _, char := range key {
			if !inTexts(char) || char == '\n' || char == '\t' {
				return nil, fmt.Errorf("the key %+q holds the character %U, which is not allowed", key, char)
			}
		}
		for _, char := range text {
			if !inTexts(char) {
				return nil, fmt.Errorf("%s: holds the character %U, which is not allowed", join("", key), char)
			}
		}
		texts[key] = text
	}
	return texts, nil
}

// inTexts tells which characters texts may hold: all but control characters, those that turn the
// direction of what stands around them until they are taken back, and what stands for broken UTF-8.
// The marks of a direction and the isolates, which right-to-left languages need, are among them.
func inTexts(char rune) bool {
	const firstEmbedding, lastOverride, byteOrder = '\u202a', '\u202e', '\ufeff'
	switch {
	case char == '\n' || char == '\t':
		return true
	case unicode.In(char, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point):
		return false
	}
	return char != utf8.RuneError && char != byteOrder && (char < firstEmbedding || char > lastOverride)
}
