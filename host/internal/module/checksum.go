package module

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// The files of a package that are about its other files.
const (
	sumsName      = "SHA256SUMS"
	signatureName = "SHA256SUMS.minisig"
)

// maxSums bounds a SHA256SUMS.
const maxSums = 1 << 20

type digest [sha256.Size]byte

// checksums is a SHA256SUMS: the digest of every file by path.
type checksums map[string]digest

// parseChecksums reads lines as sha256sum writes them. A path that could not stand in a package, or
// stands twice, is an error.
func parseChecksums(text []byte) (checksums, error) {
	sums := checksums{}
	for number, line := range slices.Collect(strings.SplitSeq(strings.TrimRight(string(text), "\r\n"), "\n")) {
		line = strings.TrimSuffix(line, "\r")
		sum, name, ok := strings.Cut(line, " ")
		name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, " "), "*"), "./")
		raw, err := hex.DecodeString(sum)
		if !ok || err != nil || len(raw) != sha256.Size || checkName(name) != "" {
			return nil, fmt.Errorf("line %d is not a checksum and a path", number+1)
		}
		if _, twice := sums[name]; twice || name == sumsName || name == signatureName {
			return nil, fmt.Errorf("line %d names %s, which can't stand there", number+1, name)
		}
		sums[name] = digest(raw)
	}
	return sums, nil
}

func (s checksums) names() []string { return slices.Sorted(maps.Keys(s)) }

// String writes the lines sorted by path.
func (s checksums) String() string {
	var out strings.Builder
	for _, name := range s.names() {
		sum := s[name]
		fmt.Fprintf(&out, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	return out.String()
}

func digestOf(in io.Reader) (digest, error) {
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return digest{}, err
	}
	return digest(h.Sum(nil)), nil
}
