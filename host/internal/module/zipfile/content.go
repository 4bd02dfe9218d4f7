package zipfile

import (
	"bytes"
	"compress/flate"
	"errors"
	"hash/crc32"
	"io"
	"sync"
)

// maxMisstated bounds how far content is read only to tell a wrong size from damage.
const maxMisstated = 128 << 20

// inflaters are used again: making one costs more than reading a small file.
var inflaters sync.Pool

// inflater is what flate.NewReader promises to return.
type inflater interface {
	io.Reader
	flate.Resetter
}

// unpacking reads content; nothing of the packed bytes is taken beyond where it ends.
type unpacking struct {
	io.Reader
	packed *bytes.Reader
}

func (f *File) unpack() (u unpacking, done func()) {
	packed := bytes.NewReader(f.content)
	if f.Method == Stored {
		return unpacking{packed, packed}, func() {}
	}
	used, ok := inflaters.Get().(inflater)
	if !ok || used.Reset(packed, nil) != nil {
		fresh := flate.NewReader(packed)
		used, ok = fresh.(inflater)
		if !ok {
			return unpacking{fresh, packed}, func() {}
		}
	}
	return unpacking{used, packed}, func() { inflaters.Put(used) }
}

// CopyTo writes the whole content. It writes no more than one byte beyond the size that is said, and
// fails with an *Error when the content isn't of that size (Size), when its CRC-32 is another, be that
// 0 (Damaged), or when packed bytes are left over (Gap). An error of out's is returned as it is.
func (f *File) CopyTo(out io.Writer) error {
	u, done := f.unpack()
	defer done()
	sum := crc32.NewIEEE()
	target := &writer{out: io.MultiWriter(out, sum)}
	n, err := io.Copy(target, io.LimitReader(u, int64(min(f.Size, 1<<62))+1))
	switch {
	case target.err != nil:
		return target.err
	case err == nil && uint64(n) == f.Size && u.packed.Len() > 0:
		return f.fault(Gap, "%d bytes behind its content belong to no file", u.packed.Len())
	case err == nil && uint64(n) == f.Size && sum.Sum32() == f.CRC32:
		return nil
	case uint64(n) != f.Size && f.isWhole():
		return f.fault(Size, "%d bytes are said", f.Size)
	case err != nil:
		return f.fault(Damaged, "%w", err)
	}
	return f.fault(Damaged, "its CRC-32 or its size is another")
}

// writer keeps the error of where content goes apart from the content's own.
type writer struct {
	out io.Writer
	err error
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.err = err
	return n, err
}

// isWhole tells a size that is wrong from content that is damaged: whole content has its CRC-32.
func (f *File) isWhole() bool {
	u, done := f.unpack()
	defer done()
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, io.LimitReader(u, maxMisstated))
	return err == nil && n < maxMisstated && sum.Sum32() == f.CRC32
}

// Check reads the content and keeps nothing.
func (f *File) Check() error { return f.CopyTo(io.Discard) }

// PackedBytes is the content as it is packed; nobody may change it.
func (f *File) PackedBytes() []byte { return f.content }

// Head returns the content's first bytes, at most n.
func (f *File) Head(n int) ([]byte, error) {
	u, done := f.unpack()
	defer done()
	head := make([]byte, n)
	n, err := io.ReadFull(u, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, f.fault(Damaged, "%w", err)
	}
	return head[:n], nil
}
