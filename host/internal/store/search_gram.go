package store

import (
	"encoding/binary"
	"math/bits"
	"unicode"
)

// gram is a piece of one to three letters of a word, as a number. Two pieces may have the same one:
// what is found by them is compared with the text itself.
type gram uint32

// Flags are found as if they were pieces of the text; no piece has their numbers.
const (
	flagActive gram = 1<<31 + iota
	flagInactive
	flagUsable   // a contact that is active, and whose customer is
	flagDeserted // a customer none of whose contacts can sign in
)

var allFlags = []gram{flagActive, flagInactive, flagUsable, flagDeserted}

func gramOf(letters ...rune) gram {
	var h uint64
	for _, r := range letters {
		h = mixed(h, r)
	}
	return gram(h >> 33)
}

func mixed(h uint64, r rune) uint64 { return (h ^ uint64(r)) * 0x9e3779b97f4a7c15 }

// eachGram gives all pieces of a text's words; some of them several times.
func eachGram(text string, do func(gram)) {
	var last, two uint64 // the letter before, and the two; 0 where a word begins
	for _, r := range text {
		if unicode.IsSpace(r) {
			last, two = 0, 0
			continue
		}
		if two != 0 {
			do(gram(mixed(two, r) >> 33))
		}
		if two = 0; last != 0 {
			two = mixed(last, r)
			do(gram(two >> 33))
		}
		last = mixed(0, r)
		do(gram(last >> 33))
	}
}

// gramsOf gives all pieces of a text, each once.
func gramsOf(text string) map[gram]bool {
	set := map[gram]bool{}
	eachGram(text, func(g gram) { set[g] = true })
	return set
}

// gramsFor gives the pieces that every text with this word has: the longest there are.
func gramsFor(word string) []gram {
	letters := []rune(word)
	if len(letters) <= 3 {
		return []gram{gramOf(letters...)}
	}
	var list []gram
	for i := range len(letters) - 2 {
		list = append(list, gramOf(letters[i:i+3]...))
	}
	return list
}

// segmentSlots is how many entries a segment has room for; a set of them is 1 KiB as bits.
const segmentSlots = 8192

// slotSet is a set of the slots of one segment.
type slotSet [segmentSlots / 64]uint64

func (s *slotSet) add(slot uint16)      { s[slot/64] |= 1 << (slot % 64) }
func (s *slotSet) drop(slot uint16)     { s[slot/64] &^= 1 << (slot % 64) }
func (s *slotSet) has(slot uint16) bool { return s[slot/64]&(1<<(slot%64)) != 0 }

func (s *slotSet) count() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func (s *slotSet) list() (slots []uint16) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			slots = append(slots, uint16(i*64+bits.TrailingZeros64(word)))
		}
	}
	return slots
}

// slotsText writes slots one by one; parseSlots reads them.
func slotsText(slots []uint16) []byte {
	text := make([]byte, 0, 2*len(slots))
	for _, slot := range slots {
		text = binary.BigEndian.AppendUint16(text, slot)
	}
	return text
}

func parseSlots(text []byte) []uint16 {
	slots := make([]uint16, len(text)/2)
	for i := range slots {
		slots[i] = binary.BigEndian.Uint16(text[2*i:]) % segmentSlots
	}
	return slots
}

const bitsLength = segmentSlots / 8

// text writes the set as bits, or one by one when that is shorter.
func (s *slotSet) text() []byte {
	if s.count() < bitsLength/2 {
		return slotsText(s.list())
	}
	text := make([]byte, 0, bitsLength)
	for _, word := range s {
		text = binary.BigEndian.AppendUint64(text, word)
	}
	return text
}

// parseSet reads what text wrote.
func parseSet(text []byte) (s slotSet) {
	s.parse(text)
	return s
}

// parse makes an empty set what text wrote.
func (s *slotSet) parse(text []byte) {
	if len(text) != bitsLength {
		for i := 0; i+1 < len(text); i += 2 {
			s.add(binary.BigEndian.Uint16(text[i:]) % segmentSlots)
		}
		return
	}
	for i := range s {
		s[i] = binary.BigEndian.Uint64(text[8*i:])
	}
}

// keep leaves of the set what is in the other, as text wrote that.
func (s *slotSet) keep(other []byte) {
	if len(other) == bitsLength {
		for i := range s {
			s[i] &= binary.BigEndian.Uint64(other[8*i:])
		}
		return
	}
	var both slotSet
	both.parse(other)
	for i := range s {
		s[i] &= both[i]
	}
}
