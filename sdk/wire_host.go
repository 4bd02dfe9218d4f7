package sdk

import (
	"context"

	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
	"google.golang.org/grpc"
)

// The host's services over a connection.

func hostOver(conn grpc.ClientConnInterface) Host {
	return Host{
		Directory: directoryWire{modulev1.NewDirectoryServiceClient(conn)},
		SwitchLog: switchLogWire{modulev1.NewSessionSwitchLogServiceClient(conn)},
		Settings:  settingsWire{modulev1.NewOwnSettingsServiceClient(conn)},
		Storage:   storageWire{modulev1.NewStorageServiceClient(conn)},
		Audit:     auditWire{modulev1.NewAuditServiceClient(conn)},
		Languages: languagesWire{modulev1.NewLanguageServiceClient(conn)},
		Notices:   noticesWire{modulev1.NewNoticeServiceClient(conn)},
	}
}

type directoryWire struct {
	client modulev1.DirectoryServiceClient
}

func (w directoryWire) Search(ctx context.Context, search AccountSearch) (AccountPage, error) {
	answer, err := w.client.SearchAccounts(ctx, &modulev1.SearchAccountsRequest{
		Kind: kindToWire[search.Kind], Term: search.Term, Limit: int32(search.Limit), PageToken: search.After,
		ActiveOnly: search.ActiveOnly, AsTargetOf: keyToWire(search.AsTargetOf),
	})
	if err != nil {
		return AccountPage{}, fromStatus("search accounts", err)
	}
	found := each(answer.GetResults(), func(result *modulev1.SearchResult) FoundAccount {
		return FoundAccount{
			Account: accountFromWire(result.GetAccount()), SwitchRefusalCode: result.GetSwitchRefusalCode(),
			Online: result.GetOnline(), ActingNames: result.GetActingNames(),
		}
	})
	without := each(answer.GetCompaniesWithoutContact(), func(company *modulev1.CompanyWithoutContact) CompanyWithoutContact {
		return CompanyWithoutContact{CustomerID: company.GetCustomerId(), Company: company.GetCompany(), Active: company.GetCustomerActive()}
	})
	return AccountPage{Results: found, Next: answer.GetNextPageToken(), WithoutContact: without}, nil
}

func (w directoryWire) Account(ctx context.Context, key AccountKey) (Account, error) {
	answer, err := w.client.GetAccount(ctx, &modulev1.GetAccountRequest{Key: keyToWire(key)})
	if err != nil {
		return Account{}, fromStatus("account", err)
	}
	return accountFromWire(answer.GetAccount()), nil
}

func (w directoryWire) Roles(ctx context.Context) ([]Role, error) {
	answer, err := w.client.ListRoles(ctx, &modulev1.ListRolesRequest{})
	if err != nil {
		return nil, fromStatus("list roles", err)
	}
	return each(answer.GetRoles(), func(role *modulev1.Role) Role {
		return Role{ID: role.GetId(), Name: role.GetName(), Capabilities: role.GetCapabilities(), Members: int(role.GetMembers())}
	}), nil
}

type switchLogWire struct {
	client modulev1.SessionSwitchLogServiceClient
}

func (w switchLogWire) List(ctx context.Context, filter SwitchFilter) (SwitchPage, error) {
	answer, err := w.client.ListSessionSwitches(ctx, &modulev1.ListSessionSwitchesRequest{
		From: timeToWire(filter.From), Until: timeToWire(filter.Until),
		ActorTerm: filter.ActorTerm, SubjectTerm: filter.SubjectTerm,
		SubjectKind: kindToWire[filter.SubjectKind], Outcome: outcomeToWire[filter.Outcome],
		Actor: keyToWire(filter.Actor), Subject: keyToWire(filter.Subject), CustomerId: filter.CustomerID,
		Limit: int32(filter.Limit), PageToken: filter.After,
	})
	if err != nil {
		return SwitchPage{}, fromStatus("list session switches", err)
	}
	return SwitchPage{Switches: each(answer.GetSessionSwitches(), switchFromWire), Next: answer.GetNextPageToken()}, nil
}

func (w switchLogWire) Switch(ctx context.Context, id int64) (SessionSwitch, error) {
	answer, err := w.client.GetSessionSwitch(ctx, &modulev1.GetSessionSwitchRequest{Id: id})
	if err != nil {
		return SessionSwitch{}, fromStatus("session switch", err)
	}
	return switchFromWire(answer.GetSessionSwitch()), nil
}

func (w switchLogWire) Events(ctx context.Context, id int64, language, after string, limit int) ([]SwitchEvent, string, error) {
	answer, err := w.client.ListSwitchEvents(ctx, &modulev1.ListSwitchEventsRequest{Id: id, Language: language, PageToken: after, Limit: int32(limit)})
	if err != nil {
		return nil, "", fromStatus("list switch events", err)
	}
	return each(answer.GetEvents(), eventOfWire), answer.GetNextPageToken(), nil
}

func (w switchLogWire) End(ctx context.Context, id int64) (SessionSwitch, error) {
	answer, err := w.client.EndSessionSwitch(ctx, &modulev1.EndSessionSwitchRequest{Id: id, RequestId: ViewerOf(ctx).RequestID})
	if err != nil {
		return SessionSwitch{}, fromStatus("end session switch", err)
	}
	return switchFromWire(answer.GetSessionSwitch()), nil
}

func (w switchLogWire) Recheck(ctx context.Context) error {
	_, err := w.client.RecheckSessionSwitches(ctx, &modulev1.RecheckSessionSwitchesRequest{})
	return fromStatus("recheck session switches", err)
}

func (w switchLogWire) Explain(ctx context.Context, actor, target AccountKey) ([]SwitchRule, error) {
	answer, err := w.client.ExplainSwitch(ctx, &modulev1.ExplainSwitchRequest{Actor: keyToWire(actor), Target: keyToWire(target)})
	if err != nil {
		return nil, fromStatus("explain switch", err)
	}
	return each(answer.GetRules(), func(rule *modulev1.SwitchRule) SwitchRule {
		return SwitchRule{Code: rule.GetCode(), Holds: rule.GetHolds(), Missing: rule.GetMissing()}
	}), nil
}

func (w switchLogWire) Check(ctx context.Context) ([]SwitchingCheck, error) {
	answer, err := w.client.CheckSwitching(ctx, &modulev1.CheckSwitchingRequest{})
	if err != nil {
		return nil, fromStatus("check switching", err)
	}
	return each(answer.GetChecks(), func(check *modulev1.SwitchingCheck) SwitchingCheck {
		return SwitchingCheck{Code: check.GetCode(), OK: check.GetOk(), Detail: check.GetDetail()}
	}), nil
}

type noticesWire struct {
	client modulev1.NoticeServiceClient
}

func (w noticesWire) Send(ctx context.Context, notice Notice) error {
	_, err := w.client.SendNotice(ctx, &modulev1.SendNoticeRequest{
		Account: keyToWire(notice.To), Administrators: notice.ToAdministrators, TextKey: notice.TextKey, Args: notice.Args,
		Page: notice.Page, Mail: notice.Mail, RequestId: ViewerOf(ctx).RequestID,
	})
	return fromStatus("send notice", err)
}

type settingsWire struct {
	client modulev1.OwnSettingsServiceClient
}

func (w settingsWire) All(ctx context.Context) (Settings, error) {
	answer, err := w.client.GetSettings(ctx, &modulev1.GetSettingsRequest{})
	return answer.GetSettings(), fromStatus("settings", err)
}

type storageWire struct {
	client modulev1.StorageServiceClient
}

func (w storageWire) Value(ctx context.Context, key string) ([]byte, error) {
	answer, err := w.client.GetValue(ctx, &modulev1.GetValueRequest{Key: key})
	return answer.GetValue(), fromStatus("stored value", err)
}

func (w storageWire) Put(ctx context.Context, key string, value []byte) error {
	_, err := w.client.PutValue(ctx, &modulev1.PutValueRequest{Key: key, Value: value})
	return fromStatus("store value", err)
}

func (w storageWire) Delete(ctx context.Context, key string) error {
	_, err := w.client.DeleteValue(ctx, &modulev1.DeleteValueRequest{Key: key})
	return fromStatus("delete value", err)
}

func (w storageWire) Keys(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	answer, err := w.client.ListKeys(ctx, &modulev1.ListKeysRequest{Prefix: prefix, After: after, Limit: int32(limit)})
	return answer.GetKeys(), fromStatus("list keys", err)
}

type auditWire struct{ client modulev1.AuditServiceClient }

func (w auditWire) Write(ctx context.Context, action string, detail map[string]string) error {
	_, err := w.client.WriteEntry(ctx, &modulev1.WriteEntryRequest{
		Action: action, Detail: detail, RequestId: ViewerOf(ctx).RequestID,
	})
	return fromStatus("write audit entry", err)
}

type languagesWire struct {
	client modulev1.LanguageServiceClient
}

func (w languagesWire) List(ctx context.Context) ([]Language, uint64, error) {
	answer, err := w.client.ListLanguages(ctx, &modulev1.ListLanguagesRequest{})
	if err != nil {
		return nil, 0, fromStatus("list languages", err)
	}
	languages := each(answer.GetLanguages(), func(language *modulev1.Language) Language {
		return Language{
			Tag: language.GetTag(), Messages: language.GetMessages(),
			Uploaded: language.GetUploaded(), Complete: int(language.GetComplete()),
		}
	})
	return languages, answer.GetRevision(), nil
}

func (w languagesWire) Put(ctx context.Context, tag string, file []byte) (LanguageUpload, error) {
	answer, err := w.client.PutLanguage(ctx, &modulev1.PutLanguageRequest{
		Tag: tag, File: file, RequestId: ViewerOf(ctx).RequestID,
	})
	if err != nil {
		return LanguageUpload{}, fromStatus("put language", err)
	}
	return LanguageUpload{UnknownKeys: answer.GetUnknownKeys(), MissingKeys: answer.GetMissingKeys()}, nil
}

func (w languagesWire) Delete(ctx context.Context, tag string) error {
	_, err := w.client.DeleteLanguage(ctx, &modulev1.DeleteLanguageRequest{Tag: tag, RequestId: ViewerOf(ctx).RequestID})
	return fromStatus("delete language", err)
}
