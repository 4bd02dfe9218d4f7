package app

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Parameters of argon2id: OWASP's second choice, 19 MiB and two passes.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonKey    = 32
	argonSalt   = 16
)

// passwords hashes, a few at a time: every hash takes 19 MiB, and sign-ins come in floods.
type passwords struct {
	slots *semaphore.Weighted
	dummy string // no password's hash: checked when there is no such account, so that both take as long
}

func newPasswords() passwords {
	return passwords{slots: semaphore.NewWeighted(4), dummy: inNotation(make([]byte, argonSalt), make([]byte, argonKey))}
}

// hash makes a new hash of a password, in the usual notation with its parameters and a new salt.
func (p passwords) hash(ctx context.Context, password string) (string, error) {
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return "", fmt.Errorf("wait for a hashing slot: %w", err)
	}
	defer p.slots.Release(1)
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails: the program ends instead
	return hashWith(password, salt), nil
}

// check tells whether the password is the one of the hash; without a hash it is never.
func (p passwords) check(ctx context.Context, hash, password string) (bool, error) {
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return false, fmt.Errorf("wait for a hashing slot: %w", err)
	}
	defer p.slots.Release(1)
	known := hash != "" && len(password) <= crm.MaxPassword
	if !known {
		hash, password = p.dummy, "x"
	}
	salt, err := saltOf(hash)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare([]byte(hashWith(password, salt)), []byte(hash)) == 1 && known, nil
}

func hashWith(password string, salt []byte) string {
	return inNotation(salt, argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonKey))
}

func inNotation(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonTime,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// saltOf reads the salt of a hash made with today's parameters.
func saltOf(hash string) ([]byte, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 {
		return nil, fmt.Errorf("password hash has %d parts, not 6", len(parts))
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return nil, fmt.Errorf("read salt: %w", err)
	}
	return salt, nil
}
