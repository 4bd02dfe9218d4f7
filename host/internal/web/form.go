package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// field is one control of a form, in words of the page's language.
type field struct {
	Name         string
	Kind         string // text, email, tel, url, password, number, textarea, select, yesno, hidden
	Label        string
	Value        string
	Help         string
	Error        string
	Autocomplete string
	Required     bool
	Fixed        string // why it can't be changed; the control is disabled and says so
	Choices      []choice
	Min, Max     int64
}

// choice is an option of a select.
type choice struct{ Value, Label string }

// Described names the elements that explain the control, for aria-describedby.
func (f field) Described() string {
	ids := ""
	for _, part := range []struct{ id, text string }{{"-help", f.Help}, {"-fixed", f.Fixed}, {"-error", f.Error}} {
		if part.text != "" {
			ids += " f-" + f.Name + part.id
		}
	}
	if ids == "" {
		return ""
	}
	return ids[1:]
}

// form is a form with everything its template needs.
type form struct {
	Page    *Page
	ID      string // tells several forms of a page apart
	Action  string // with the base path
	Fields  []field
	Button  string
	Blocked string // why it can't be sent just now
	Error   string // the sentence over it
	Status  int    // of the answer that shows it; 200 until an error is put in
	Back    string
}

// newForm makes a form that posts to an address of a class.
func (p *Page) newForm(local, class, button string, fields ...field) *form {
	for i := range fields {
		if fields[i].Kind == "yesno" {
			fields[i].Choices = []choice{{"true", p.T("yes")}, {"false", p.T("no")}}
		}
	}
	return &form{Page: p, ID: strings.Trim(strings.ReplaceAll(local, "/", "-"), "-"), Action: p.Path(local), Button: button, Blocked: p.Blocked(class), Fields: fields, Status: http.StatusOK}
}

// fieldOf says which field an error is about; the others are about the whole form.
var fieldOf = map[string]string{
	"email_invalid": "email", "email_taken": "email", "name_invalid": "name", "role_name_taken": "name",
	"company_invalid": "company", "website_invalid": "website", "language_invalid": "language", "theme_invalid": "theme",
	"password_short": "password", "password_long": "password", "password_is_name": "password", "password_wrong": "old_password",
	"passwords_differ": "repeat", "trusted_key_invalid": "public_key", "trusted_key_exists": "public_key",
}

// refuse puts an error into the form when a person can mend it there, and gives back every other.
func (f *form) refuse(err error) error {
	kind := crm.KindOf(err)
	if kind != crm.Invalid && kind != crm.Conflict && kind != crm.TooMany {
		return err
	}
	f.Status, f.Error = statusOf(err), f.Page.visit.sentence(err)
	name := f.fieldFor(err)
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			f.Fields[i].Error = f.Error
			f.Error = f.Page.T("form_has_errors")
			return nil
		}
	}
	return nil
}

// fieldFor names the field of an error: it says so itself by an argument Field, or its key does.
func (f *form) fieldFor(err error) string {
	var e *crm.Error
	if !errors.As(err, &e) {
		return ""
	}
	if name, ok := e.Args["Field"].(string); ok {
		return name
	}
	if key, ok := e.Args["Key"].(string); ok {
		return "s_" + key // a module's setting
	}
	if e.Key != "number_out_of_range" {
		return fieldOf[e.Key]
	}
	for _, field := range f.Fields {
		if fmt.Sprint(field.Min, field.Max) == fmt.Sprint(e.Args["Min"], e.Args["Max"]) {
			return field.Name
		}
	}
	return ""
}

// keep puts what was typed back into the fields; passwords are typed again.
func (f *form) keep(v *visit) *form {
	for i := range f.Fields {
		if name := f.Fields[i].Name; f.Fields[i].Kind != "password" && f.Fields[i].Fixed == "" && v.r.PostForm.Has(name) {
			f.Fields[i].Value = v.value(name)
		}
	}
	return f
}

// languageField offers the languages, and none for "as the browser asks".
func (p *Page) languageField(value, none string) field {
	f := field{Name: "language", Kind: "select", Label: p.T("field_language"), Value: value}
	if none != "" {
		f.Choices = append(f.Choices, choice{"", p.T(none)})
	}
	for _, l := range p.Languages {
		f.Choices = append(f.Choices, choice{l.Tag, l.Name})
	}
	return f
}

// yesNo is a Yes/No field.
func yesNo(name, label string, value bool, help string) field {
	return field{Name: name, Kind: "yesno", Label: label, Value: strconv.FormatBool(value), Help: help}
}
