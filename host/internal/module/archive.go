package module

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module/zipfile"
)

// openedZip is a zip whose structure was read, within every limit that can be known before its content is.
type openedZip struct {
	entries []entry         // its files, by path
	rest    []*zipfile.File // folders, and junk that systems add by themselves
}

// openZip reads the structure of a zip. Its errors are refusals, each with the sentence for what is wrong.
func openZip(filename, sha string, data []byte) (openedZip, error) {
	// What stands before a zip is named as that, unless it is a kind of file of its own.
	if kind := archiveKind(data); kind != "zip" && (kind != "" || !bytes.Contains(data, []byte(zipEnd))) {
		return openedZip{}, crm.Refuse(crm.Invalid, "module_not_zip", "Filename", filename, "Kind", kind)
	}
	l := &lister{names: newNames()}
	if _, err := zipfile.Read(data, zipLimits, l.take); err != nil {
		return openedZip{}, refuseZip(sha, "", err)
	}
	slices.SortFunc(l.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return openedZip{l.entries, l.rest}, nil
}

// zipEnd is the mark of a zip's last record.
const zipEnd = "PK\x05\x06"

var zipLimits = zipfile.Limits{Files: maxEntries, List: maxDirectory}

// checkRest reads the content of what nobody unpacks: who reads a zip from its beginning finds the
// next file by it.
func (z openedZip) checkRest(sha string) error {
	for _, f := range z.rest {
		if err := f.Check(); err != nil {
			return refuseZip(sha, "", err)
		}
	}
	return nil
}

// checkAll reads the content of everything.
func (z openedZip) checkAll(sha string) error {
	for _, e := range z.entries {
		if err := e.Check(); err != nil {
			return refuseZip(sha, e.path, err)
		}
	}
	return z.checkRest(sha)
}

// zipRefusals are the keys for what is wrong with a whole zip.
var zipRefusals = map[zipfile.Fault]string{
	zipfile.Before:  "module_zip_before",
	zipfile.After:   "module_zip_after",
	zipfile.Joined:  "module_zip_joined",
	zipfile.Gap:     "module_zip_gap",
	zipfile.Numbers: "module_zip_numbers",
	zipfile.Comment: "module_zip_comment",
	zipfile.Zip64:   "module_zip64",
}

// entryRules are the rules, as badEntry has them, that a single file of a zip breaks.
var entryRules = map[zipfile.Fault]string{
	zipfile.Differs:     "local",
	zipfile.Encrypted:   "encrypted",
	zipfile.Method:      "compression",
	zipfile.Size:        "size",
	zipfile.Link:        "link",
	zipfile.Kind:        "folder",
	zipfile.Extra:       "extra",
	zipfile.OtherName:   "unicode",
	zipfile.Unmarked:    "unmarked",
	zipfile.Unreadable:  "characters",
	zipfile.NamedBefore: "twice",
}

// refuseZip makes a refusal of what zipfile says. Where, unless it is empty, is how people know the
// file that it is about. Errors that aren't zipfile's stay as they are.
func refuseZip(sha, where string, err error) error {
	z, is := errors.AsType[*zipfile.Error](err)
	if !is {
		return err
	}
	where = cmp.Or(where, z.Name)
	if rule, ok := entryRules[z.Fault]; ok {
		return because(badEntry(where, rule), err)
	}
	if key, ok := zipRefusals[z.Fault]; ok {
		return because(crm.Refuse(crm.Invalid, key), err)
	}
	switch z.Fault {
	case zipfile.Overlap:
		return because(crm.Refuse(crm.Invalid, "module_overlap", "Name", printable(where)), err)
	case zipfile.TooMany:
		return because(crm.Refuse(crm.TooLarge, "module_too_many_files", "Count", z.Count, "Max", maxEntries), err)
	case zipfile.ListTooLong:
		return because(crm.Refuse(crm.TooLarge, "module_list_too_long", "Max", maxDirectory>>20), err)
	}
	return because(crm.Refuse(crm.Invalid, "module_damaged", "Where", printable(where), "SHA256", sha), err)
}

// because gives a refusal its cause, for logs.
func because(refusal *crm.Error, cause error) error {
	refusal.Err = cause
	return refusal
}
