package crm

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"
)

// AccountNotice is a sentence an account is told on its next pages, in its language, until it
// dismisses it.
type AccountNotice struct {
	ID      int64
	To      AccountKey
	Module  string            // whose sentence it is; empty for the host's own, whose keys begin with "notice_"
	TextKey string            // of the sentence
	Args    map[string]string // what fills it
	Page    string            // a local address that says more, or empty
	At      time.Time
	ReadAt  time.Time // zero until it is dismissed
	Mail    bool      // it shall go out by mail, too
}

// The bounds of a notice.
const (
	maxNoticeKey  = 64
	maxNoticeArgs = 16
	maxNoticeArg  = 512
)

var noticeKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

// Check refuses as Invalid a notice that is larger than notices may be, or that leads elsewhere than
// to a page of its module in the area where its account lives.
func (n AccountNotice) Check() error {
	if len(n.TextKey) > maxNoticeKey || !noticeKey.MatchString(n.TextKey) || len(n.Args) > maxNoticeArgs {
		return Refuse(Invalid, "account_notice_invalid", "Args", maxNoticeArgs, "Bytes", maxNoticeArg)
	}
	for name, value := range n.Args {
		if len(name) > maxNoticeKey || len(value) > maxNoticeArg {
			return Refuse(Invalid, "account_notice_invalid", "Args", maxNoticeArgs, "Bytes", maxNoticeArg)
		}
	}
	if n.Page == "" {
		return nil
	}
	root := moduleRoot(n.To.Kind.Area(), n.Module)
	address, query, _ := strings.Cut(n.Page, "?")
	if n.Module == "" || !below(root, n.Page) || !IsLocal(strings.TrimSuffix(address, "/")+"?"+query) {
		return Refuse(Invalid, "account_notice_page", "Page", Cut(n.Page, 200), "Root", root)
	}
	return nil
}

// ModulePage is the local address of a module's page in an area, empty for no page.
func ModulePage(area Area, module, path string) string {
	if path == "" {
		return ""
	}
	return moduleRoot(area, module) + path
}

func moduleRoot(area Area, module string) string {
	if area == Admin {
		return "/admin/m/" + module
	}
	return "/m/" + module
}

// below tells whether a local address is root's or leads below it.
func below(root, address string) bool {
	rest, ok := strings.CutPrefix(address, root)
	return ok && (rest == "" || strings.ContainsRune("/?#", rune(rest[0])))
}

// IsLocal tells whether an address, sent by anybody, leads nowhere but into this site: no host, no
// backslash (which browsers read as a slash), no control character, no way up.
func IsLocal(address string) bool {
	if !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") || len(address) > 2000 {
		return false
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return false
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return false
	}
	return !strings.ContainsAny(u.Path, "\\\r\n") && !strings.HasPrefix(u.Path, "//") && path.Clean(u.Path) == u.Path
}

// Mail is a notice on its way to an address: all it takes to send it, as it was when it was told.
type Mail struct {
	ID        int64
	MessageID string // the same at every attempt, so that who gets it twice can tell
	Name      string
	Address   string
	Language  string // as the account chose it, or the site's
	Module    string
	TextKey   string
	Args      map[string]string
	Page      string
	Actor     string // who wrote it under a borrowed name, empty when nobody did
	At        time.Time
	Attempts  int64 // how often somebody set out to send it, this time included
}
