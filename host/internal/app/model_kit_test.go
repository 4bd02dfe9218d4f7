package app

import "github.com/understudy-crm/understudy/host/internal/crm"

// OpenSession, LockSources and HashPassword let the model sign people in by the hundred: checking a
// password takes longer than all the rest together, and has its own tests.
var (
	OpenSession  = (*App).openSession
	LockSources  = func(kind crm.AccountKind, email string) []lockSource { return lockSources(kind, email, crm.Client{}) }
	HashPassword = func(password string) string { return hashWith(password, make([]byte, argonSalt)) }
)
