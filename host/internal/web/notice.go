package web

import (
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// accountNotice is what an account is told, as its page shows it.
type accountNotice struct {
	crm.AccountNotice
	Text string
	Href string // where it says more, or empty
}

// addAccountNotices takes what the account at the screen has yet to read. Without anything it asks
// nothing; a page that can't be told them is better than none.
func (p *Page) addAccountNotices() {
	v := p.visit
	if !v.unread || v.who.Switched() || v.wantsFragment() {
		return
	}
	list, err := v.app.Notices(v.r.Context(), v.who)
	if err != nil {
		v.log.WarnContext(v.r.Context(), "notices are not shown", "error", err)
	}
	for _, n := range list {
		told := accountNotice{AccountNotice: n, Text: v.noticeText(p.Language, n)}
		if n.Page != "" && n.Check() == nil {
			told.Href = v.path(n.Page)
		}
		p.AccountNotices = append(p.AccountNotices, told)
	}
}

// noticeText is the sentence of a notice. A module that is gone took its words along; then all that
// can be said is that it had something to say.
func (v *visit) noticeText(language string, n crm.AccountNotice) string {
	args := filling(n.Args)
	if n.Module == "" {
		return v.languages.withArgs(language, n.TextKey, args)
	}
	text := v.modules.Surface().Text(n.Module, language, n.TextKey, v.languages.readable(language, args))
	if text == n.TextKey {
		return v.languages.text(language, "notice_without_text", "Module", v.modules.Surface().Name(n.Module))
	}
	return text
}

func (v *visit) dismissNotice() error {
	id, err := v.id("id")
	if err == nil {
		err = v.app.DismissNotice(v.r.Context(), v.who, id)
	}
	return v.backAfter(err)
}

// dismissNotices dismisses what the page has shown: what came since has yet to be seen.
func (v *visit) dismissNotices() error {
	newest, err := strconv.ParseInt(v.value("newest"), 10, 64)
	if err != nil {
		return crm.Refuse(crm.Invalid, "form_unreadable")
	}
	return v.backAfter(v.app.DismissNotices(v.r.Context(), v.who, newest))
}

// backAfter goes back to the page the form stood on, when what it asked for was done.
func (v *visit) backAfter(err error) error {
	if err != nil {
		return err
	}
	v.redirect(nextAddress(v.value("back"), v.who.Area()))
	return nil
}
