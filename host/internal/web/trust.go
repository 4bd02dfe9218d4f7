package web

import (
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// signature says who signed an installed module, and whether that is still worth something.
func (v *visit) signature(row module.Row) string {
	if row.SignerRevoked {
		return v.text("signer_revoked", "Name", row.Signer.Name, "KeyID", row.Signer.KeyID)
	}
	return v.signerText(row.Signer)
}

// signerText names a signer. Of one whose key isn't trusted nothing is shown but the key: whatever
// else it says of itself could not be checked.
func (v *visit) signerText(s crm.Signer) string {
	switch {
	case !s.Signed():
		return v.text("signer_none")
	case !s.Trusted:
		return v.text("signer_unknown", "KeyID", s.KeyID)
	}
	return v.text("signer_trusted", "Name", s.Name, "KeyID", s.KeyID)
}

// keysView is the list of the publishers whose word is taken, and of what each module may do.
type keysView struct {
	*Page
	Keys    []crm.TrustedKey
	Form    *form
	Modules []actionLink
	Blocked string
}

func (v *visit) trustedKeys() error { return v.showKeys(nil) }

func (v *visit) showKeys(cause error) error {
	keys, err := v.app.TrustedKeys(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	rows, err := v.modules.Modules(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("title_keys"))
	f := p.newForm("/admin/modules/keys", "sensitive", v.text("trust_key"),
		field{Name: "name", Kind: "text", Label: v.text("field_publisher"), Required: true},
		field{Name: "public_key", Kind: "textarea", Label: v.text("field_public_key"), Help: v.text("help_public_key"), Required: true})
	if cause != nil {
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
	}
	view := keysView{Page: p, Keys: keys, Form: f, Blocked: f.Blocked}
	for _, row := range rows {
		view.Modules = append(view.Modules, actionLink{Label: row.Name, Href: v.path("/admin/modules/" + row.ID + "/grants")})
	}
	return v.render(f.Status, "keys", view)
}

func (v *visit) addTrustedKey() error {
	key, err := v.app.AddTrustedKey(v.r.Context(), v.who, v.value("name"), v.value("public_key"))
	if err != nil {
		return v.showKeys(err)
	}
	return v.done("/admin/modules/keys", "flash_key_added", "Name", key.Name)
}

func (v *visit) askRemoveTrustedKey() error {
	key, err := v.keyInAddress()
	if err != nil {
		return err
	}
	return v.confirm("sensitive", v.text("title_remove_key", "Name", key.Name), v.text("remove_key"), "/admin/modules/keys", v.text("remove_key_what"))
}

// keyInAddress finds the key among those an administrator may see.
func (v *visit) keyInAddress() (crm.TrustedKey, error) {
	keys, err := v.app.TrustedKeys(v.r.Context(), v.who)
	if err != nil {
		return crm.TrustedKey{}, err
	}
	for _, key := range keys {
		if key.KeyID == v.r.PathValue("key") {
			return key, nil
		}
	}
	return crm.TrustedKey{}, crm.Refuse(crm.NotFound, "trusted_key_not_found")
}

func (v *visit) removeTrustedKey() error {
	key, err := v.keyInAddress()
	if err != nil {
		return err
	}
	if err := v.app.RemoveTrustedKey(v.r.Context(), v.who, key.KeyID); err != nil {
		return err
	}
	return v.done("/admin/modules/keys", "flash_key_removed", "Name", key.Name)
}
