package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// FormToken makes the token that every form of a page carries. It is bound to the session, to its
// version (and so to its secret, which changes with it) and to the subject, so that a page opened
// as one person is never acted on as another. With a scope, the id of a module, it is good for that
// module's addresses only.
func (a *App) FormToken(who crm.Who, scope string) string {
	return formToken(who, fmt.Sprintf("%s.%d.%s", who.Session.Subject, who.Session.Version, scope))
}

func formToken(who crm.Who, claims string) string {
	mac := hmac.New(sha256.New, who.Session.FormKey)
	mac.Write([]byte(claims)) // a hash never fails to write
	return claims + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckFormToken checks a token against the session as it is now and returns its scope. Denied
// form_token_missing when there is none or it is not of this session, Conflict form_token_stale
// when the session has changed hands since.
func (a *App) CheckFormToken(who crm.Who, token string) (string, error) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 || len(who.Session.FormKey) == 0 || !hmac.Equal([]byte(formToken(who, token[:end])), []byte(token)) {
		return "", crm.Refuse(crm.Denied, "form_token_missing")
	}
	claims := token[:end]
	scope := claims[strings.LastIndexByte(claims, '.')+1:]
	if a.FormToken(who, scope) != token {
		return "", crm.Refuse(crm.Conflict, "form_token_stale", "Subject", who.Subject.Name)
	}
	return scope, nil
}
