package crm

import "time"

// TrustedKey is a publisher's key: what it signs is that publisher's.
type TrustedKey struct {
	KeyID     string // sixteen hexadecimal digits, upper case
	PublicKey string // as minisign writes it, one line of base64
	Name      string // whose it is, in an administrator's words
	AddedAt   time.Time
	AddedBy   string
}

// Signer is who signed a package. The zero value is nobody. Without Trusted it is no more than a
// claim: the key isn't known, so nothing could be checked, neither name nor comment.
type Signer struct {
	KeyID     string
	Name      string
	PublicKey string // the key it was checked by, empty unless Trusted
	Trusted   bool
	Comment   string // signed along with the package, empty unless Trusted
}

// Signed tells whether there is a signature at all.
func (s Signer) Signed() bool { return s.KeyID != "" }

// String names the signer for records.
func (s Signer) String() string {
	switch {
	case !s.Signed():
		return "nobody"
	case !s.Trusted:
		return "unknown key " + s.KeyID
	}
	return s.Name + " (" + s.KeyID + ")"
}
