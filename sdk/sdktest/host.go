package sdktest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// Host is the host a tested module talks to. Its fields may be read and changed between requests.
type Host struct {
	People []sdk.Account
	// Companies are customers none of whose contacts can sign in.
	Companies []sdk.CompanyWithoutContact
	Settings  sdk.Settings
	Switches  []sdk.SessionSwitch
	Refusals  map[sdk.AccountKey]string
	Stored    map[string][]byte
	// Roles are the roles of staff.
	Roles []sdk.Role
	// Events are what happened during a switch, by its id.
	Events map[int64][]sdk.SwitchEvent
	// Rules are what the host's own rules say of a pair, by the target.
	Rules map[sdk.AccountKey][]sdk.SwitchRule
	// Checks are what a look at switching finds.
	Checks []sdk.SwitchingCheck
	// Rechecks counts how often the module said that something it decides by has changed.
	Rechecks int
	// Online and Acting say who is signed in now, and who acts as whom, by name.
	Online map[sdk.AccountKey]bool
	Acting map[sdk.AccountKey][]string
	// Sent are the notices the module sent.
	Sent []sdk.Notice
	// Entries are what the module wrote to the Activity Log.
	Entries []Entry
	// Searches are the searches it asked for.
	Searches []sdk.AccountSearch
	// Fault, when set, is what every service answers.
	Fault error

	denied    []string
	shipped   map[string]map[string]string
	uploaded  map[string]map[string]string
	revision  uint64
	maxStored int
}

// Entry is one entry of the Activity Log.
type Entry struct {
	Action string
	Detail map[string]string
	// Actor and Subject are those of the page request in which it was written.
	Actor, Subject sdk.AccountKey
}

func newHost(module sdk.Module, instance *sdk.Instance, options Options) *Host {
	settings := sdk.Settings{}
	for _, page := range module.Contributions.SettingsPages {
		for _, field := range page.Fields {
			settings[field.Key] = field.Default
		}
	}
	maps.Copy(settings, options.Settings)
	return &Host{
		People: slices.Clone(options.People), Companies: slices.Clone(options.Companies), Settings: settings, Switches: slices.Clone(options.Switches),
		Refusals: options.Refusals, Stored: map[string][]byte{},
		denied: options.Denied, shipped: instance.Languages(), uploaded: map[string]map[string]string{},
		revision: 1, maxStored: 16 << 20,
	}
}

// Upload puts a language file as an administrator does on the host's side.
func (h *Host) Upload(tag string, messages map[string]string) {
	h.uploaded[tag] = messages
	h.revision++
}

func (h *Host) services() sdk.Host {
	return sdk.Host{
		Directory: directory{h}, SwitchLog: switchLog{h}, Settings: settings{h},
		Storage: storage{h}, Audit: audit{h}, Languages: languages{h}, Notices: notices{h},
	}
}

// may returns what a service answers before it does anything.
func (h *Host) may(ctx context.Context, grant string) error {
	switch {
	case h.Fault != nil:
		return h.Fault
	case grant != "" && slices.Contains(h.denied, grant):
		return sdk.Errorf(sdk.Denied, "the module was not given the grant %s", grant)
	}
	return ctx.Err()
}

// page cuts a list into pages; its tokens are positions.
func page[T any](list []T, after string, limit, byDefault, most int) (cut []T, next string, err error) {
	if limit == 0 {
		limit = byDefault
	}
	if limit < 0 || limit > most {
		return nil, "", sdk.Errorf(sdk.Invalid, "limit: 1 to %d is allowed", most)
	}
	from := 0
	if after != "" {
		if from, err = strconv.Atoi(after); err != nil || from < 0 || from > len(list) {
			return nil, "", sdk.Errorf(sdk.Invalid, "%q is no page", after)
		}
	}
	to := min(from+limit, len(list))
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return list[from:to], next, nil
}

// matches reports whether every word of term stands in one of the texts.
func matches(term string, texts ...string) bool {
	all := strings.ToLower(strings.Join(texts, "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(term)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

type directory struct{ host *Host }

func (d directory) Search(ctx context.Context, search sdk.AccountSearch) (sdk.AccountPage, error) {
	if err := d.host.may(ctx, manifest.GrantDirectoryRead); err != nil {
		return sdk.AccountPage{}, err
	}
	d.host.Searches = append(d.host.Searches, search)
	var all []sdk.FoundAccount
	for _, account := range d.host.People {
		if account.Key.Kind != search.Kind || account.Key == search.AsTargetOf || search.ActiveOnly && !account.Active ||
			!matches(search.Term, account.Name, account.Email, account.Company) {
			continue
		}
		found := sdk.FoundAccount{Account: account}
		if search.AsTargetOf != (sdk.AccountKey{}) {
			found.SwitchRefusalCode = d.refusal(search.AsTargetOf, account)
			found.Online, found.ActingNames = d.host.Online[account.Key], d.host.Acting[account.Key]
		}
		all = append(all, found)
	}
	slices.SortStableFunc(all, func(a, b sdk.FoundAccount) int { return cmp.Compare(a.Name, b.Name) })
	results, next, err := page(all, search.After, search.Limit, 20, 100)
	found := sdk.AccountPage{Results: results, Next: next}
	if search.Kind == sdk.Contact && strings.TrimSpace(search.Term) != "" && search.After == "" {
		for _, company := range d.host.Companies {
			if matches(search.Term, company.Company) && len(found.WithoutContact) < 5 {
				found.WithoutContact = append(found.WithoutContact, company)
			}
		}
	}
	return found, err
}

func (d directory) refusal(actor sdk.AccountKey, target sdk.Account) string {
	switch code, ok := d.host.Refusals[target.Key]; {
	case ok:
		return code
	case !target.Active:
		return "inactive"
	case target.Administrator && !d.isAdministrator(actor):
		return "not_administrator"
	}
	return ""
}

func (d directory) isAdministrator(key sdk.AccountKey) bool {
	return slices.ContainsFunc(d.host.People, func(account sdk.Account) bool { return account.Key == key && account.Administrator })
}

func (d directory) Account(ctx context.Context, key sdk.AccountKey) (sdk.Account, error) {
	if err := d.host.may(ctx, manifest.GrantDirectoryRead); err != nil {
		return sdk.Account{}, err
	}
	for _, account := range d.host.People {
		if account.Key == key {
			return account, nil
		}
	}
	return sdk.Account{}, sdk.Errorf(sdk.NotFound, "there is no account %s", key)
}

type settings struct{ host *Host }

func (s settings) All(ctx context.Context) (sdk.Settings, error) {
	if err := s.host.may(ctx, ""); err != nil {
		return nil, err
	}
	return maps.Clone(s.host.Settings), nil
}

type storage struct{ host *Host }

func (s storage) Value(ctx context.Context, key string) ([]byte, error) {
	if err := s.host.may(ctx, ""); err != nil {
		return nil, err
	}
	value, ok := s.host.Stored[key]
	if !ok {
		return nil, sdk.Errorf(sdk.NotFound, "there is no value %q", key)
	}
	return bytes.Clone(value), nil
}

func (s storage) Put(ctx context.Context, key string, value []byte) error {
	if err := s.host.may(ctx, ""); err != nil {
		return err
	}
	if len(key) < 1 || len(key) > 256 || len(value) > 1<<20 {
		return sdk.Errorf(sdk.Invalid, "a key has 1 to 256 bytes, a value at most 1 MiB")
	}
	total := len(key) + len(value)
	for stored, old := range s.host.Stored {
		if stored != key {
			total += len(stored) + len(old)
		}
	}
	if total > s.host.maxStored {
		return sdk.Errorf(sdk.TooLarge, "the module's storage is full")
	}
	s.host.Stored[key] = bytes.Clone(value)
	return nil
}

func (s storage) Delete(ctx context.Context, key string) error {
	if err := s.host.may(ctx, ""); err != nil {
		return err
	}
	delete(s.host.Stored, key)
	return nil
}

func (s storage) Keys(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	if err := s.host.may(ctx, ""); err != nil {
		return nil, err
	}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(s.host.Stored)) {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	keys, _, err := page(keys, "", limit, 100, 1000)
	return keys, err
}

type audit struct{ host *Host }

func (a audit) Write(ctx context.Context, action string, detail map[string]string) error {
	if err := a.host.may(ctx, manifest.GrantAuditWrite); err != nil {
		return err
	}
	if action == "" || len(action) > 64 || len(detail) > 16 {
		return sdk.Errorf(sdk.Invalid, "an action has 1 to 64 bytes, a detail at most 16 values")
	}
	for name, value := range detail {
		if len(value) > 512 {
			return sdk.Errorf(sdk.Invalid, "detail %s: at most 512 bytes", name)
		}
	}
	viewer := sdk.ViewerOf(ctx)
	a.host.Entries = append(a.host.Entries, Entry{
		Action: action, Detail: maps.Clone(detail), Actor: viewer.Actor.Key, Subject: viewer.Subject.Key,
	})
	return nil
}

type languages struct{ host *Host }

func (l languages) List(ctx context.Context) ([]sdk.Language, uint64, error) {
	if err := l.host.may(ctx, ""); err != nil {
		return nil, 0, err
	}
	tags := map[string]bool{}
	for tag := range l.host.shipped {
		tags[tag] = true
	}
	for tag := range l.host.uploaded {
		tags[tag] = true
	}
	var list []sdk.Language
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		language := sdk.Language{Tag: tag, Messages: map[string]string{}, Uploaded: l.host.uploaded[tag] != nil}
		maps.Copy(language.Messages, l.host.shipped[tag])
		maps.Copy(language.Messages, l.host.uploaded[tag])
		for key := range l.host.shipped["en"] {
			if language.Messages[key] != "" {
				language.Complete++
			}
		}
		list = append(list, language)
	}
	return list, l.host.revision, nil
}

// change returns Denied outside a page request of somebody who may change settings.
func (l languages) change(ctx context.Context) error {
	if err := l.host.may(ctx, ""); err != nil {
		return err
	}
	viewer := sdk.ViewerOf(ctx)
	if viewer.RequestID == "" || viewer.Switched() || !viewer.Actor.Administrator {
		return sdk.Errorf(sdk.Denied, "languages change only within a page request of an administrator who is not switched")
	}
	return nil
}

func (l languages) Put(ctx context.Context, tag string, file []byte) (sdk.LanguageUpload, error) {
	if err := l.change(ctx); err != nil {
		return sdk.LanguageUpload{}, err
	}
	messages, err := sdk.ReadLanguage(file)
	if err != nil {
		return sdk.LanguageUpload{}, err
	}
	english := l.host.shipped["en"]
	var upload sdk.LanguageUpload
	for _, key := range slices.Sorted(maps.Keys(messages)) {
		if _, known := english[key]; !known {
			upload.UnknownKeys = append(upload.UnknownKeys, key)
			delete(messages, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(english)) {
		if messages[key] == "" && l.host.shipped[tag][key] == "" {
			upload.MissingKeys = append(upload.MissingKeys, key)
		}
	}
	l.host.Upload(tag, messages)
	return upload, nil
}

func (l languages) Delete(ctx context.Context, tag string) error {
	if err := l.change(ctx); err != nil {
		return err
	}
	delete(l.host.uploaded, tag)
	l.host.revision++
	return nil
}
