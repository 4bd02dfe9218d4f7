package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// byteOrderMark is what some editors put before a text in UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// WithoutMark is a JSON file of a package without the byte order mark it may begin with.
func WithoutMark(file []byte) []byte { return bytes.TrimPrefix(file, []byte(byteOrderMark)) }

// document reads one JSON value, which a byte order mark may stand before. encoding/json alone would
// take the last of two equal keys, match names whatever their case and replace broken UTF-8: a
// reviewer could be shown one thing and the host act on another.
func document(file []byte, most int) (any, error) {
	if len(file) > most {
		return nil, fmt.Errorf("has %d bytes; %d are allowed", len(file), most)
	}
	file = WithoutMark(file)
	if !utf8.Valid(file) {
		return nil, errors.New("is not UTF-8; save it as UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.UseNumber()
	root, err := value(dec, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("goes on after its end, at byte %d", dec.InputOffset())
	}
	return root, nil
}

func value(dec *json.Decoder, where string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: is nested too deep", where)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, notJSON(dec, err)
	}
	switch token {
	case json.Delim('{'):
		return object(dec, where, depth)
	case json.Delim('['):
		return array(dec, where, depth)
	}
	return token, nil
}

func object(dec *json.Decoder, where string, depth int) (any, error) {
	fields := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, notJSON(dec, err)
		}
		key, ok := token.(string)
		if !ok {
			return nil, notJSON(dec, errors.New("a name in quotes is missing"))
		}
		if _, twice := fields[key]; twice {
			return nil, fmt.Errorf("%s: is given twice", join(where, key))
		}
		if fields[key], err = value(dec, join(where, key), depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(dec, err)
	}
	return fields, nil
}

func array(dec *json.Decoder, where string, depth int) (any, error) {
	entries := []any{}
	for dec.More() {
		entry, err := value(dec, fmt.Sprintf("%s[%d]", where, len(entries)), depth+1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(dec, err)
	}
	return entries, nil
}

func notJSON(dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	return fmt.Errorf("is not valid JSON near byte %d: %w", dec.InputOffset(), err)
}

func join(where, key string) string {
	if runes := []rune(key); len(runes) > 40 {
		key = string(runes[:40]) + "…"
	}
	if where == "" {
		return key
	}
	return where + "." + key
}
