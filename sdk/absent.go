package sdk

import "context"

// noHost stands where there is no host yet, so that asking too early is an error, not a panic.
var noHost = Host{
	Directory: absent{}, SwitchLog: absentLog{}, Settings: absentSettings{},
	Storage: absentStorage{}, Audit: absentAudit{}, Languages: absentLanguages{}, Notices: absentNotices{},
}

var errNoHost = Errorf(Unavailable, "the host's services answer only within a call, from Activate to Deactivate")

type (
	absent          struct{}
	absentLog       struct{}
	absentSettings  struct{}
	absentStorage   struct{}
	absentAudit     struct{}
	absentLanguages struct{}
	absentNotices   struct{}
)

func (absent) Search(context.Context, AccountSearch) (AccountPage, error) {
	return AccountPage{}, errNoHost
}
func (absent) Account(context.Context, AccountKey) (Account, error) { return Account{}, errNoHost }

func (absent) Roles(context.Context) ([]Role, error) { return nil, errNoHost }

func (absentLog) Switch(context.Context, int64) (SessionSwitch, error) {
	return SessionSwitch{}, errNoHost
}

func (absentLog) End(context.Context, int64) (SessionSwitch, error) {
	return SessionSwitch{}, errNoHost
}
func (absentLog) Recheck(context.Context) error                   { return errNoHost }
func (absentLog) Check(context.Context) ([]SwitchingCheck, error) { return nil, errNoHost }
func (absentLog) Events(context.Context, int64, string, string, int) ([]SwitchEvent, string, error) {
	return nil, "", errNoHost
}

func (absentLog) Explain(context.Context, AccountKey, AccountKey) ([]SwitchRule, error) {
	return nil, errNoHost
}

func (absentNotices) Send(context.Context, Notice) error { return errNoHost }

func (absentLog) List(context.Context, SwitchFilter) (SwitchPage, error) {
	return SwitchPage{}, errNoHost
}
func (absentSettings) All(context.Context) (Settings, error)               { return nil, errNoHost }
func (absentStorage) Value(context.Context, string) ([]byte, error)        { return nil, errNoHost }
func (absentStorage) Put(context.Context, string, []byte) error            { return errNoHost }
func (absentStorage) Delete(context.Context, string) error                 { return errNoHost }
func (absentAudit) Write(context.Context, string, map[string]string) error { return errNoHost }
func (absentStorage) Keys(context.Context, string, string, int) ([]string, error) {
	return nil, errNoHost
}

func (absentLanguages) List(context.Context) ([]Language, uint64, error) { return nil, 0, errNoHost }
func (absentLanguages) Delete(context.Context, string) error             { return errNoHost }
func (absentLanguages) Put(context.Context, string, []byte) (LanguageUpload, error) {
	return LanguageUpload{}, errNoHost
}
