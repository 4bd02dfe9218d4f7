package zipfile

import "encoding/binary"

// cursor reads forward through bytes and never past their end. Once it would have had to, it is short
// and gives zeros: whoever reads a record looks at that once, behind the last number of it.
type cursor struct {
	rest  []byte
	short bool
}

// at is a cursor over the bytes from a place on, short from the start when there is no such place.
func at(data []byte, place uint64) *cursor {
	if place > uint64(len(data)) {
		return &cursor{short: true}
	}
	return &cursor{rest: data[place:]}
}

func (c *cursor) take(n int) []byte {
	if c.short || n > len(c.rest) {
		c.rest, c.short = nil, true
		return nil
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

// mark tells whether the next four bytes are a record's mark.
func (c *cursor) mark(want string) bool { return string(c.take(len(want))) == want }

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
