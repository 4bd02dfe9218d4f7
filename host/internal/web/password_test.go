package web

import "testing"

func TestNoPasswordIsSetUnderABorrowedName(t *testing.T) {
	b := newSite(t).as(ann)
	b.become(jane)
	b.post("/password/some-secret", "password", "another-password", "repeat", "another-password").wants(t, 403).says(t, "Return to your account")
	b.post("/setup/some-secret", "name", "M", "email", "m@example.com", "password", "another-password", "repeat", "another-password").wants(t, 403)
	b.post("/session/restore").wants(t, 303)
	b.get("/admin/activity?action=refused").wants(t, 200).says(t, "POST /password/{token}", "POST /setup/{token}").silent(t, "some-secret")
}
