package module

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/status"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// running is a module's process after its handshake: what it said of itself, checked, and the
// clients to call it by.
type running struct {
	manager  *Manager
	row      crm.Module // as it was when it started
	manifest manifest.Manifest
	grants   []string                 // as it was told when it started
	narrowed atomic.Pointer[[]string] // those left of them, when some were taken away since
	process  *process
	placed   placed
	print    string // fingerprint of the folders translations are dropped into
	own      *ownData
	gate     *gate
	timing   timing
	debugged bool // it may take its time, and is neither killed nor started anew
	log      *moduleLog

	life     modulev1.ModuleServiceClient
	pages    modulev1.PageServiceClient
	settings modulev1.SettingsServiceClient
	switches modulev1.SessionSwitchServiceClient

	decides, validates bool
	described          *modulev1.DescribeResponse
	added              atomic.Pointer[contributions]
	values             atomic.Pointer[map[string]string] // every declared setting
	texts              atomic.Pointer[texts]
	languages          atomic.Uint64 // revision of texts

	load     load // the Manager's loop's own
	checking atomic.Bool

	mu       sync.Mutex
	requests map[string]asking // page requests in flight, by id
	told     map[string]bool   // kinds of removals its log has told of, by page
	stopping bool
	farewell error // how Deactivate went, once it was asked
}

// asking is a page request in flight.
type asking struct {
	who    crm.Who
	unsafe bool
}

// newRunning starts a module's process and has it described, but not activated: what the module
// says of itself must be what its manifest says, or nothing of it stays. It is on trial until handOver.
func (m *Manager) newRunning(ctx context.Context, p placed, row crm.Module, log *moduleLog) (*running, error) {
	if err := m.mayStart(); err != nil {
		return nil, err
	}
	t, print, err := m.readTexts(ctx, row.ID, p, log)
	if err != nil {
		return nil, err
	}
	platform := hostPlatform()
	local, ok := p.manifest.Executables[platform]
	if !ok {
		return nil, crm.Refuse(crm.Unavailable, "module_wrong_platform", "Built", "", "Server", platform, "Holds", fmt.Sprint(p.manifest.Platforms()))
	}
	grants := granted(p.manifest, row.Grants)
	debugged, pace := slices.Contains(m.debug, p.manifest.ID), m.timing
	if debugged {
		pace = pace.patient()
	}
	process, err := startProcess(ctx, launch{
		executable: filepath.Join(p.folder, filepath.FromSlash(local)), digest: p.sums[local], direct: m.direct, groups: m.groups(),
		enclosure: enclosure{Folder: p.folder, Network: slices.Contains(grants, manifest.GrantNetwork), Require: m.requireSandbox},
		runDir:    filepath.Join(m.runDir, p.manifest.ID), log: log, timeout: pace.start,
	})
	if err != nil {
		return nil, err
	}
	r := &running{
		manager: m, row: row, manifest: p.manifest, process: process, log: log,
		placed: p, own: &ownData{app: m.app, id: p.manifest.ID, sha256: row.SHA256}, grants: grants, requests: map[string]asking{}, timing: pace, debugged: debugged,
		gate:     newGate(p.manifest.ID, p.manifest.Name, process.child.done, &m.calls, m.meter(p.manifest.ID), log),
		life:     modulev1.NewModuleServiceClient(process.conn),
		pages:    modulev1.NewPageServiceClient(process.conn),
		settings: modulev1.NewSettingsServiceClient(process.conn),
		switches: modulev1.NewSessionSwitchServiceClient(process.conn),
	}
	r.print = print
	r.setTexts(t)
	if err := r.describe(ctx); err != nil {
		err = r.startFault("module_start", err) // before we end it ourselves
		process.stop(0)
		return nil, err
	}
	return r, nil
}

// setTexts gives the module's texts a new revision when they differ.
func (r *running) setTexts(t *texts) bool {
	old := r.texts.Load()
	if old != nil && old.equal(t) {
		return false
	}
	r.texts.Store(t)
	r.languages.Add(1)
	return true
}

// describe asks what the module is and adds, and checks every word of it.
func (r *running) describe(ctx context.Context) error {
	err := r.ask(ctx, callDescribe, r.timing.lifecycle, func(ctx context.Context) (err error) {
		r.described, err = r.life.Describe(ctx, &modulev1.DescribeRequest{HostVersion: r.manager.hostVersion})
		return err
	})
	if err != nil {
		return err
	}
	d := r.described
	if d.GetId() != r.manifest.ID || d.GetVersion() != r.manifest.Version {
		return crm.Refuse(crm.Unavailable, "module_not_as_described", "Says", printable(d.GetId()+" "+d.GetVersion()), "Manifest", r.manifest.ID+" "+r.manifest.Version)
	}
	if err := r.readHooks(d.GetHooks()); err != nil {
		return err
	}
	added, err := compile(r.manifest, r.texts.Load(), r.manager.icons, d.GetContributions())
	if err != nil {
		return badContribution(err)
	}
	r.added.Store(added)
	return nil
}

func badContribution(err error) *crm.Error {
	r := crm.Refuse(crm.Invalid, "module_contribution_invalid", "Detail", printable(err.Error()))
	r.Err = err
	return r
}

func (r *running) readHooks(hooks []modulev1.Hook) error {
	for _, hook := range hooks {
		switch hook {
		case modulev1.Hook_HOOK_DECIDE_SESSION_SWITCH:
			if !r.manifest.Asks(manifest.GrantSessionSwitch) {
				return crm.Refuse(crm.Unavailable, "module_wants_more", "Grant", manifest.GrantSessionSwitch)
			}
			r.decides = slices.Contains(r.grants, manifest.GrantSessionSwitch)
		case modulev1.Hook_HOOK_VALIDATE_SETTINGS:
			r.validates = true
		default:
			// A hook of a later contract: this host never asks it.
		}
	}
	return nil
}

// activate offers the host's services, hands over what was granted and sees that the module works.
func (r *running) activate(ctx context.Context) error {
	values, err := r.manager.app.ModuleSettings(ctx, r.manifest.ID)
	if err != nil {
		return fmt.Errorf("activate %s: read settings: %w", r.manifest.ID, err)
	}
	filled := r.added.Load().fill(values)
	r.values.Store(&filled)
	services := &hostServices{running: r, app: r.manager.app}
	broker, err := r.process.serve([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxAsked), grpc.MaxSendMsgSize(proto.MaxMessageBytes), grpc.ForceServerCodecV2(frugal{encoding.GetCodecV2(grpcproto.Name), &services.asks}),
		grpc.MaxConcurrentStreams(maxAsking), grpc.InTapHandle(boundAsking()), grpc.UnaryInterceptor(services.intercept), grpc.StreamInterceptor(refuseStream),
	}, services.register)
	if err != nil {
		return r.startFault("module_start", err)
	}
	err = r.ask(ctx, callActivate, r.timing.lifecycle, func(ctx context.Context) error {
		_, err := r.life.Activate(ctx, &modulev1.ActivateRequest{
			HostServicesBrokerId: broker, Grants: r.grants, Settings: maps.Clone(filled), HostVersion: r.manager.hostVersion,
		})
		return err
	})
	if err == nil {
		err = r.health(ctx)
	}
	return r.startFault("module_start", err)
}

// ask makes a call of the module's own life: with a deadline, but past the circuit breaker and the
// bound on calls, which are for the people's requests.
func (r *running) ask(ctx context.Context, what call, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.gate.calls.Add(1)
	started := time.Now()
	err := do(ctx)
	r.gate.meter.done(what, started, err)
	return r.gate.fault(ctx, what.String(), "", err)
}

// health says whether the module works. It isn't counted among the calls: it is nobody's request.
func (r *running) health(ctx context.Context) error { return r.healthBy(ctx, r.life) }

// healthAnew is health over a connection of its own: one that stands says nothing of whether the
// module still takes any, and may be busy with what people asked.
func (r *running) healthAnew(ctx context.Context) error {
	conn, err := r.process.another()
	if err != nil {
		return fmt.Errorf("connect once more: %w", err)
	}
	defer conn.Close()
	return r.healthBy(ctx, modulev1.NewModuleServiceClient(conn))
}

func (r *running) healthBy(ctx context.Context, module modulev1.ModuleServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, r.timing.healthLimit)
	defer cancel()
	started := time.Now()
	_, err := module.CheckHealth(ctx, &modulev1.CheckHealthRequest{})
	if status.Code(err) == codes.Unimplemented {
		err = nil
	}
	r.gate.meter.done(callHealth, started, err)
	return r.gate.fault(ctx, callHealth.String(), "", err)
}

// startFault says how a start failed: when the process ended, its exit says more than the call.
func (r *running) startFault(prefix string, err error) error {
	if err == nil {
		return nil
	}
	if key := crm.KeyOf(err); key == "module_call_failed" || key == "module_not_running" {
		within(time.Second/2, r.process.child.done) // the connection breaks before the process has ended
	}
	if fault := r.process.child.fault(prefix); fault != nil {
		return fault
	}
	return err
}

// stop deactivates the module and ends its process, in bounded time whatever it does. The host's
// services answer until the process is gone.
func (r *running) stop(deactivate bool) {
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
	grace := time.Duration(0)
	if deactivate {
		ctx := context.Background()
		err := r.ask(ctx, callDeactivate, r.timing.deactivate, func(ctx context.Context) error {
			_, err := r.life.Deactivate(ctx, &modulev1.DeactivateRequest{})
			return err
		})
		r.mu.Lock()
		r.farewell = err
		r.mu.Unlock()
		switch {
		case err == nil:
			grace = r.timing.grace
		case crm.KeyOf(err) != "module_not_running":
			grace = r.timing.grace / 2 // it hardly listens
		}
	}
	r.process.stop(grace)
}

// expected tells whether the process' end was our wish.
func (r *running) expected() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping
}

// fill gives every declared setting its saved value, or the default where none, or none that is
// still allowed, was saved.
func (c *contributions) fill(saved map[string]string) map[string]string {
	values := map[string]string{}
	if c.settings == nil {
		return values
	}
	for _, f := range c.settings.fields {
		values[f.key] = f.standard
		if v, ok := saved[f.key]; ok && f.check(v) == nil {
			values[f.key] = v
		}
	}
	return values
}

// begin notes that a page request is in flight, and under which id the module hears of it.
func (r *running) begin(who crm.Who, unsafe bool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := who.Client.RequestID
	if _, taken := r.requests[id]; taken || id == "" {
		id += "-" + randomName()
	}
	r.requests[id] = asking{who, unsafe}
	return id
}

func (r *running) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.requests, id)
}

// asks finds who stands behind a request in flight.
func (r *running) asks(id string) (asking, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.requests[id]
	return a, ok
}
