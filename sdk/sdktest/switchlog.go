package sdktest

import (
	"context"
	"slices"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

func (d directory) Roles(ctx context.Context) ([]sdk.Role, error) {
	if err := d.host.may(ctx, manifest.GrantDirectoryRead); err != nil {
		return nil, err
	}
	return slices.Clone(d.host.Roles), nil
}

type switchLog struct{ host *Host }

func (l switchLog) List(ctx context.Context, filter sdk.SwitchFilter) (sdk.SwitchPage, error) {
	if err := l.host.may(ctx, manifest.GrantSessionSwitch); err != nil {
		return sdk.SwitchPage{}, err
	}
	var all []sdk.SessionSwitch
	for _, record := range l.host.Switches {
		if !record.StartedAt.Before(filter.From) &&
			(filter.Until.IsZero() || record.StartedAt.Before(filter.Until)) &&
			matches(filter.ActorTerm, record.ActorName) && matches(filter.SubjectTerm, record.SubjectName, record.SubjectDetail) &&
			(filter.SubjectKind == "" || record.Subject.Kind == filter.SubjectKind) &&
			(filter.Outcome == "" || record.Outcome() == filter.Outcome) &&
			(filter.Actor == (sdk.AccountKey{}) || record.Actor == filter.Actor) &&
			(filter.Subject == (sdk.AccountKey{}) || record.Subject == filter.Subject) &&
			(filter.CustomerID == 0 || record.CustomerID == filter.CustomerID) {
			all = append(all, record)
		}
	}
	slices.SortStableFunc(all, func(a, b sdk.SessionSwitch) int { return b.StartedAt.Compare(a.StartedAt) })
	records, next, err := page(all, filter.After, filter.Limit, 25, 500)
	return sdk.SwitchPage{Switches: records, Next: next}, err
}

func (l switchLog) at(ctx context.Context, id int64) (int, error) {
	if err := l.host.may(ctx, manifest.GrantSessionSwitch); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(l.host.Switches, func(s sdk.SessionSwitch) bool { return s.ID == id })
	if i < 0 {
		return 0, sdk.Errorf(sdk.NotFound, "there is no switch %d", id)
	}
	return i, nil
}

func (l switchLog) Switch(ctx context.Context, id int64) (sdk.SessionSwitch, error) {
	i, err := l.at(ctx, id)
	if err != nil {
		return sdk.SessionSwitch{}, err
	}
	return l.host.Switches[i], nil
}

func (l switchLog) Events(ctx context.Context, id int64, _, after string, limit int) ([]sdk.SwitchEvent, string, error) {
	if _, err := l.at(ctx, id); err != nil {
		return nil, "", err
	}
	return page(l.host.Events[id], after, limit, 100, 500)
}

// End keeps the host's rules on who may end what.
func (l switchLog) End(ctx context.Context, id int64) (sdk.SessionSwitch, error) {
	i, err := l.at(ctx, id)
	if err != nil {
		return sdk.SessionSwitch{}, err
	}
	viewer, record := sdk.ViewerOf(ctx), &l.host.Switches[i]
	staff := viewer.Actor.Key.Kind == sdk.Staff && (viewer.Actor.Administrator || len(viewer.Actor.Capabilities) > 0)
	own := viewer.Actor.Key.Kind == sdk.Contact && viewer.Actor.CustomerID != 0 && viewer.Actor.CustomerID == record.CustomerID
	switch {
	case viewer.RequestID == "" || viewer.Switched() || !staff && !own:
		return sdk.SessionSwitch{}, sdk.Errorf(sdk.Denied, "%s may not end switch %d", viewer.Actor.Key, id)
	case record.Outcome() != sdk.OutcomeActive:
		return sdk.SessionSwitch{}, sdk.Errorf(sdk.Conflict, "switch %d has ended", id)
	}
	record.EndedAt, record.End, record.EndedBy = time.Now().UTC(), sdk.EndByAdministrator, viewer.Actor.Name
	if own {
		record.End = sdk.EndBySubject
	}
	return *record, nil
}

func (l switchLog) Recheck(ctx context.Context) error {
	err := l.host.may(ctx, manifest.GrantSessionSwitch)
	if err == nil {
		l.host.Rechecks++
	}
	return err
}

func (l switchLog) Explain(ctx context.Context, _, target sdk.AccountKey) ([]sdk.SwitchRule, error) {
	if err := l.host.may(ctx, manifest.GrantSessionSwitch); err != nil {
		return nil, err
	}
	return slices.Clone(l.host.Rules[target]), nil
}

func (l switchLog) Check(ctx context.Context) ([]sdk.SwitchingCheck, error) {
	if err := l.host.may(ctx, manifest.GrantSessionSwitch); err != nil {
		return nil, err
	}
	return slices.Clone(l.host.Checks), nil
}

type notices struct{ host *Host }

func (n notices) Send(ctx context.Context, notice sdk.Notice) error {
	if err := n.host.may(ctx, manifest.GrantNoticeSend); err != nil {
		return err
	}
	if notice.TextKey == "" || len(notice.Args) > 16 || (!notice.ToAdministrators && notice.To == (sdk.AccountKey{})) {
		return sdk.Errorf(sdk.Invalid, "a notice has a message, at most 16 arguments and somebody to go to")
	}
	n.host.Sent = append(n.host.Sent, notice)
	return nil
}
