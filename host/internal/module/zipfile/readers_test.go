package zipfile

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os/exec"
	"slices"
	"testing"
)

// readings are a zip's contents by name, as some reader sees them.
type readings map[string]string

// read is Read with its contents; the error is a refusal or nil.
func read(t testing.TB, data []byte, allow func(*File) error) (readings, error) {
	t.Helper()
	a, err := Read(data, testLimits, allow)
	if err == nil {
		err = a.Check()
	}
	if err != nil {
		return nil, err
	}
	seen := readings{}
	for _, f := range a.Files {
		var content bytes.Buffer
		if err := f.CopyTo(&content); err != nil {
			t.Errorf("%s: read twice, it is another: %v", f.Name, err)
		}
		if head, err := f.Head(4); err != nil || !bytes.HasPrefix(content.Bytes(), head) {
			t.Errorf("%s begins with %q, %v", f.Name, head, err)
		}
		seen[f.Name] = content.String()
	}
	if len(seen) != len(a.Files) {
		t.Error("two files have one name")
	}
	return seen, nil
}

// wellRefused fails when an error is no refusal that somebody has words for.
func wellRefused(t testing.TB, what string, err error) {
	t.Helper()
	refusal, is := errors.AsType[*Error](err)
	if !is || !slices.Contains(Faults(), refusal.Fault) {
		t.Errorf("%s: no refusal: %v", what, err)
	}
}

// asGo reads a zip with archive/zip.
func asGo(data []byte) (readings, error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, err
	}
	seen := readings{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if _, twice := seen[f.Name]; twice {
			return nil, fmt.Errorf("%s: twice", f.Name)
		}
		seen[f.Name] = string(content)
	}
	return seen, nil
}

// forward reads a zip from its first byte, and never looks at its end: as what unpacks a download
// while it comes in.
func forward(data []byte) (readings, error) {
	seen := readings{}
	for {
		if len(data) < 4 || string(data[:4]) != localMark {
			return seen, nil
		}
		name, content, rest, err := forwardFile(data)
		if err != nil {
			return nil, err
		}
		if _, twice := seen[name]; twice {
			return nil, fmt.Errorf("%s: twice", name)
		}
		seen[name], data = content, rest
	}
}

func forwardFile(data []byte) (name, content string, rest []byte, err error) {
	if len(data) < 30 {
		return "", "", nil, io.ErrUnexpectedEOF
	}
	flags, method := binary.LittleEndian.Uint16(data[6:]), binary.LittleEndian.Uint16(data[8:])
	crc, packed := binary.LittleEndian.Uint32(data[14:]), uint64(binary.LittleEndian.Uint32(data[18:]))
	names, extras := int(binary.LittleEndian.Uint16(data[26:])), int(binary.LittleEndian.Uint16(data[28:]))
	if len(data) < 30+names+extras {
		return "", "", nil, io.ErrUnexpectedEOF
	}
	name, extra, rest := string(data[30:30+names]), data[30+names:30+names+extras], data[30+names+extras:]
	wide := false
	for len(extra) >= 4 {
		id, length := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if id == 1 && length == 16 {
			wide, packed = true, binary.LittleEndian.Uint64(extra[12:])
		}
		extra = extra[min(len(extra), 4+length):]
	}
	later := flags&8 != 0
	var taken int
	if method == 8 {
		content, taken, err = inflateForward(rest)
	} else {
		content, taken, err = storedForward(rest, packed, later, wide)
	}
	if err != nil {
		return "", "", nil, fmt.Errorf("%s: %w", name, err)
	}
	rest = rest[taken:]
	if later {
		crc, rest = descriptorForward(rest, wide)
	}
	if crc != crc32.ChecksumIEEE([]byte(content)) {
		return "", "", nil, fmt.Errorf("%s: another CRC-32", name)
	}
	return name, content, rest, nil
}

func inflateForward(data []byte) (string, int, error) {
	in := bytes.NewReader(data)
	content, err := io.ReadAll(io.LimitReader(flate.NewReader(in), 16<<20))
	return string(content), len(data) - in.Len(), err
}

// storedForward takes the size from the header, or looks for a descriptor as libarchive does.
func storedForward(data []byte, packed uint64, later, wide bool) (string, int, error) {
	if packed > uint64(len(data)) {
		return "", 0, io.ErrUnexpectedEOF
	}
	if packed > 0 || !later {
		return string(data[:packed]), int(packed), nil
	}
	for i := range data {
		if !bytes.HasPrefix(data[i:], []byte(descriptorMark)) || len(data)-i < 24 {
			continue
		}
		size := uint64(binary.LittleEndian.Uint32(data[i+8:]))
		if wide {
			size = binary.LittleEndian.Uint64(data[i+8:])
		}
		if size == uint64(i) {
			return string(data[:i]), i, nil
		}
	}
	return "", 0, nil // nothing is stored, and no mark stands before its descriptor
}

func descriptorForward(data []byte, wide bool) (uint32, []byte) {
	data = bytes.TrimPrefix(data, []byte(descriptorMark))
	length := 12
	if wide {
		length = 20
	}
	if len(data) < length {
		return 0, nil
	}
	return binary.LittleEndian.Uint32(data), data[length:]
}

// pythonReads prints, for each zip on its input, the names and contents or what was raised.
const pythonReads = `
import io, json, struct, sys, zipfile
data, out = sys.stdin.buffer.read(), []
while data:
    length, = struct.unpack("<I", data[:4])
    one, data = data[4:4+length], data[4+length:]
    try:
        with zipfile.ZipFile(io.BytesIO(one)) as z:
            infos = z.infolist()
            seen = {i.filename: z.read(i).hex() for i in infos}
            out.append({"seen": seen, "count": len(infos)})
    except Exception as e:
        out.append({"error": repr(e)})
json.dump(out, sys.stdout)
`

type pythonReading struct {
	Seen  map[string]string
	Count int
	Error string
}

// asPython reads zips with Python's zipfile; nothing where there is no Python.
func asPython(t *testing.T, zips [][]byte) []pythonReading {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("no python3: its reading isn't compared")
		return nil
	}
	var in bytes.Buffer
	for _, data := range zips {
		in.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
		in.Write(data)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", pythonReads)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v", err)
	}
	var all []pythonReading
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(zips) {
		t.Fatalf("python says %d things of %d zips, %v", len(all), len(zips), err)
	}
	return all
}

// same tells whether Python saw these contents, each once.
func (p pythonReading) same(as readings) bool {
	hexed := map[string]string{}
	for name, content := range as {
		hexed[name] = hex.EncodeToString([]byte(content))
	}
	return p.Error == "" && p.Count == len(as) && maps.Equal(p.Seen, hexed)
}

// agree fails unless archive/zip and who reads forward see the same.
func agree(t testing.TB, what string, data []byte, ours readings) {
	t.Helper()
	if theirs, err := asGo(data); err != nil || !maps.Equal(theirs, ours) {
		t.Errorf("%s: archive/zip reads %q, %v, and we %q", what, theirs, err, ours)
	}
	if theirs, err := forward(data); err != nil || !maps.Equal(theirs, ours) {
		t.Errorf("%s: from its beginning one reads %q, %v, and we %q", what, theirs, err, ours)
	}
}
