package web

import (
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// nextAddress is where to go after a sign-in: next when it leads into the area, its home otherwise.
func nextAddress(next string, area crm.Area) string {
	if !crm.IsLocal(next) || areaOf(next) != area {
		return area.Home()
	}
	p, _, _ := strings.Cut(next, "?")
	switch p {
	case "/login", "/logout", "/admin/login", "/session", "/favicon.ico", "/healthz", "/readyz", "/preferences":
		return area.Home()
	}
	for _, prefix := range []string{"/assets/", "/session/", "/password/", "/setup/"} {
		if strings.HasPrefix(p, prefix) {
			return area.Home()
		}
	}
	return next
}

// areaOf is the part of the site an address stands in.
func areaOf(address string) crm.Area {
	p, _, _ := strings.Cut(address, "?")
	p, _, _ = strings.Cut(p, "#")
	if p == "/admin" || strings.HasPrefix(p, "/admin/") {
		return crm.Admin
	}
	return crm.Portal
}
