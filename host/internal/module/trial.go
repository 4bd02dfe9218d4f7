package module

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// A process is on trial from its start until the module is its own: while a new version is tried
// beside the running one, while a module is activated for the first time, and at every start
// anew. Should it fail, nothing of the trial may stay. What each host service does meanwhile:
type trialRule int

const (
	refusedOnTrial trialRule = iota // also what is added one day and nobody thought about
	freeOnTrial                     // reads, or changes nothing beyond the process itself
	keptAside                       // seen by this process alone, and kept when it is adopted
)

var trialRules = map[string]trialRule{
	modulev1.DirectoryService_SearchAccounts_FullMethodName:                freeOnTrial,
	modulev1.DirectoryService_GetAccount_FullMethodName:                    freeOnTrial,
	modulev1.SessionSwitchLogService_ListSessionSwitches_FullMethodName:    freeOnTrial,
	modulev1.DirectoryService_ListRoles_FullMethodName:                     freeOnTrial,
	modulev1.SessionSwitchLogService_GetSessionSwitch_FullMethodName:       freeOnTrial,
	modulev1.SessionSwitchLogService_ListSwitchEvents_FullMethodName:       freeOnTrial,
	modulev1.SessionSwitchLogService_ExplainSwitch_FullMethodName:          freeOnTrial,
	modulev1.SessionSwitchLogService_CheckSwitching_FullMethodName:         freeOnTrial,
	modulev1.SessionSwitchLogService_EndSessionSwitch_FullMethodName:       refusedOnTrial, // nobody can have asked for it
	modulev1.SessionSwitchLogService_RecheckSessionSwitches_FullMethodName: refusedOnTrial, // whoever is adopted is asked anew anyway
	modulev1.NoticeService_SendNotice_FullMethodName:                       refusedOnTrial,
	modulev1.OwnSettingsService_GetSettings_FullMethodName:                 freeOnTrial,
	modulev1.StorageService_GetValue_FullMethodName:                        freeOnTrial, // what was kept aside is seen
	modulev1.StorageService_ListKeys_FullMethodName:                        freeOnTrial, // likewise
	modulev1.StorageService_PutValue_FullMethodName:                        keptAside,
	modulev1.StorageService_DeleteValue_FullMethodName:                     keptAside,
	modulev1.AuditService_WriteEntry_FullMethodName:                        keptAside,
	modulev1.LanguageService_ListLanguages_FullMethodName:                  freeOnTrial,
	modulev1.LanguageService_PutLanguage_FullMethodName:                    refusedOnTrial, // nobody can have asked for it
	modulev1.LanguageService_DeleteLanguage_FullMethodName:                 refusedOnTrial,
	modulev1.ContributionService_Publish_FullMethodName:                    freeOnTrial, // the surface shows adopted processes only
}

// What a process may have kept aside.
const (
	maxTrialValues  = 10_000
	maxTrialEntries = 100
)

// ownData is one process' way to what its module keeps. On trial its writes stay here; adopted they
// go straight to the database; once another process has taken its place, they are refused: that one
// may have brought the data to another form.
type ownData struct {
	app    *app.App
	id     string
	sha256 string // of the package the process was started from

	mu      sync.RWMutex // held over one write or one handover, never over a call to a module
	phase   dataPhase
	values  map[string]trialValue
	grown   int64 // by how much values make the database's space larger
	entries []crm.ModuleEntry
}

type dataPhase int

const (
	onTrial dataPhase = iota
	adopted
	replaced
)

// trialValue is a value kept aside.
type trialValue struct {
	value []byte // nil: deleted
	stood int64  // how many bytes it took in the database before
}

// checkTrial refuses what a process on trial may not do.
func (d *ownData) checkTrial(method string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.phase == onTrial && trialRules[method] == refusedOnTrial {
		return status.Errorf(codes.FailedPrecondition, "%s is not offered before the module is active", method)
	}
	return nil
}

// handOver has keep write what was kept aside, in the transaction that makes the module this
// process' own. From then on this one's writes go straight through, and those of old, the process it
// replaces if there is one, are refused; both wait meanwhile. When keep fails nothing has changed.
func (d *ownData) handOver(old *running, keep func(crm.ModuleTrial) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old != nil {
		old.own.mu.Lock()
		defer old.own.mu.Unlock()
	}
	trial := crm.ModuleTrial{Values: map[string][]byte{}, Entries: d.entries}
	for name, v := range d.values {
		trial.Values[name] = v.value
	}
	if err := keep(trial); err != nil {
		return err
	}
	d.phase, d.values, d.entries = adopted, nil, nil
	if old != nil {
		old.own.phase = replaced
	}
	return nil
}

// change makes a write where it belongs now; late is what becomes of it once another process has
// taken over.
func (d *ownData) change(through, aside, late func() error) error {
	d.mu.RLock()
	if d.phase == adopted {
		defer d.mu.RUnlock()
		return through()
	}
	d.mu.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.phase {
	case onTrial:
		return aside()
	case adopted:
		return through()
	default:
		return late()
	}
}

func tooLate() error {
	return status.Error(codes.FailedPrecondition, "another process of this module has taken over; this one writes no more")
}

func (d *ownData) put(ctx context.Context, name string, value []byte) error {
	return d.change(
		func() error { return d.app.PutModuleValue(ctx, d.id, d.sha256, name, value) },
		func() error { return d.putAside(ctx, name, value) }, tooLate)
}

func (d *ownData) remove(ctx context.Context, name string) error {
	return d.change(
		func() error { return d.app.DeleteModuleValue(ctx, d.id, d.sha256, name) },
		func() error { return d.putAside(ctx, name, nil) }, tooLate)
}

// putAside counts against the quota what the database would hold. That is checked once more when it
// is kept: others may write meanwhile.
func (d *ownData) putAside(ctx context.Context, name string, value []byte) error {
	before, known := d.values[name]
	v := trialValue{value, before.stood}
	if !known {
		if len(d.values) >= maxTrialValues {
			return status.Errorf(codes.ResourceExhausted, "at most %d values may be changed before the module is active", maxTrialValues)
		}
		stands, err := d.app.ModuleValue(ctx, d.id, name)
		switch {
		case err == nil:
			v.stood = int64(len(name) + len(stands))
		case crm.KindOf(err) != crm.NotFound:
			return err
		}
	}
	grown := d.grown + v.grows(name)
	if known {
		grown -= before.grows(name)
	}
	if value != nil {
		size, err := d.app.ModuleValuesSize(ctx, d.id)
		if err != nil {
			return err
		}
		if len(value) > app.MaxModuleValue || size+grown > app.MaxModuleValues {
			return crm.Refuse(crm.TooLarge, "module_quota", "Max", app.MaxModuleValues)
		}
	}
	if d.values == nil {
		d.values = map[string]trialValue{}
	}
	d.values[name], d.grown = v, grown
	return nil
}

// grows is by how much the value makes the database's space larger.
func (v trialValue) grows(name string) int64 {
	if v.value == nil {
		return -v.stood
	}
	return int64(len(name)+len(v.value)) - v.stood
}

// value reads what this process sees.
func (d *ownData) value(ctx context.Context, name string) ([]byte, error) {
	d.mu.RLock()
	v, aside := d.values[name]
	d.mu.RUnlock()
	switch {
	case !aside:
		return d.app.ModuleValue(ctx, d.id, name)
	case v.value == nil:
		return nil, crm.Refuse(crm.NotFound, "value_not_found")
	}
	return v.value, nil
}

// keys lists what this process sees, in order.
func (d *ownData) keys(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	d.mu.RLock()
	aside := maps.Clone(d.values)
	d.mu.RUnlock()
	if len(aside) == 0 {
		return d.app.ModuleKeys(ctx, d.id, prefix, after, limit)
	}
	var keys []string
	for stands := after; len(keys) < limit; {
		const page = 1000
		list, err := d.app.ModuleKeys(ctx, d.id, prefix, stands, page)
		if err != nil {
			return nil, err
		}
		for _, key := range list {
			if _, changed := aside[key]; !changed {
				keys = append(keys, key)
			}
		}
		if len(list) < page {
			break
		}
		stands = list[len(list)-1]
	}
	for key, v := range aside {
		if v.value != nil && key > after && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], nil
}

// write appends to the audit. A process that was replaced may still say what it did.
func (d *ownData) write(ctx context.Context, who crm.Who, action string, detail map[string]string) error {
	through := func() error { return d.app.WriteModuleAudit(ctx, who, d.id, action, detail) }
	return d.change(through, func() error { return d.writeAside(action, detail) }, through)
}

func (d *ownData) writeAside(action string, detail map[string]string) error {
	entry, err := app.CleanModuleEntry(action, detail)
	if err != nil {
		return err
	}
	if len(d.entries) >= maxTrialEntries {
		return status.Errorf(codes.ResourceExhausted, "at most %d entries may be written before the module is active", maxTrialEntries)
	}
	d.entries = append(d.entries, entry)
	return nil
}
