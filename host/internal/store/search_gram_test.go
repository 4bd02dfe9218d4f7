package store

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestEveryTextHasThePiecesOfTheWordsInIt(t *testing.T) {
	letters := []rune("aábßйع你%_\\ \t")
	for range 2000 {
		text := make([]rune, rand.N(20))
		for i := range text {
			text[i] = letters[rand.N(len(letters))]
		}
		has := gramsOf(string(text))
		for word := range strings.FieldsSeq(string(text)) {
			in := []rune(word)
			from := rand.N(len(in))
			part := string(in[from : from+1+rand.N(len(in)-from)])
			for _, g := range gramsFor(part) {
				if !has[g] {
					t.Fatalf("%q in %q: a piece is missing", part, string(text))
				}
			}
		}
	}
}

func TestSetsOfSlotsAreReadAsTheyWereWritten(t *testing.T) {
	for _, size := range []int{0, 1, 2, 300, 511, 512, 513, 4000, segmentSlots} {
		chosen := map[uint16]bool{}
		for _, slot := range rand.Perm(segmentSlots)[:size] {
			chosen[uint16(slot)] = true
		}
		list := slices.Sorted(maps.Keys(chosen))
		set := parseSet(setText(list))
		if got := set.list(); !slices.Equal(got, list) || set.count() != size || len(set.text()) > bitsLength {
			t.Errorf("%d slots became %d", size, set.count())
		}
		var all slotSet
		for slot := range uint16(segmentSlots) {
			all.add(slot)
		}
		if all.keep(set.text()); all != set {
			t.Errorf("cutting everything with %d slots leaves %d", size, all.count())
		}
	}
}
