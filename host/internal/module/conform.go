package module

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Result is how a point of the conformance kit went.
type Result string

// The results.
const (
	PointPassed  Result = "passed"
	PointFailed  Result = "failed"
	PointSkipped Result = "skipped"
)

// Point is one thing every module must keep, and how this one does. Reason and warnings are English,
// for its author; they may quote the module.
type Point struct {
	Name     string
	Result   Result
	Reason   string // why it failed or was skipped; what was seen when it passed
	Warnings []string
}

// Findings are all that Examine found out about a package.
type Findings struct {
	Review   Review
	Refusal  *crm.Error // of the installer; nil when it takes the package
	Points   []Point    // in a fixed order, each there whatever happened
	Measured Measured
	Sandbox  *Level   // what its process was held to; nil when it was not run
	Log      []string // the module's own last lines, when a point failed
}

// Measured is for information: nothing fails by it.
type Measured struct {
	ExecutableBytes  int64
	DescriptionBytes int
	Start            time.Duration // to its description
	IdleBytes        int64         // resident memory right after its activation; 0 where it can't be read
}

// OK tells whether the installer takes the package, it can be activated here, and no point failed.
func (f *Findings) OK() bool {
	return f.Refusal == nil && len(f.Review.Problems) == 0 && !slices.ContainsFunc(f.Points, func(p Point) bool { return p.Result == PointFailed })
}

// The points, in their order. Their names are part of what `module verify --json` promises.
const (
	pointLanguages     = "languages"
	pointStart         = "start"
	pointDescribe      = "describe"
	pointContributions = "contributions"
	pointPure          = "pure"
	pointLimits        = "limits"
	pointActivate      = "activate"
	pointSettings      = "settings"
	pointPages         = "pages"
	pointHealth        = "health"
	pointDeactivate    = "deactivate"
	pointRestart       = "restart"
	pointKill          = "kill"
	pointStop          = "stop"
)

// examineLimit bounds the whole of Examine, whatever the module does, but for the seconds it takes
// to end it.
const examineLimit = 3 * time.Minute

// Examine has a package go through all that would happen to it here: upload, review, installation,
// activation, its pages, a crash, its end. It needs a Manager of its own, not started, over a
// database and folders that are thrown away afterwards; admin, an administrator there, is who the
// pages are asked for. With static nothing of the package is run.
//
// What is wrong with the package is in the findings. An error means that nothing could be found
// out: the file can't be read, ctx has ended, there is no room. No process is left in any case.
func (m *Manager) Examine(ctx context.Context, admin crm.Who, filename string, body io.Reader, static bool) (*Findings, error) {
	f := &Findings{}
	data, err := m.readUpload(body)
	if err != nil {
		return f, refused(f, err)
	}
	b, err := m.check(ctx, f, filename, data)
	if err != nil {
		return f, refused(f, err)
	}
	x := &examination{m: m, f: f, bundle: b, admin: admin}
	x.point(pointLanguages, func() (string, error) { return x.languages() })
	why := ""
	switch _, ours := b.manifest.Executables[hostPlatform()]; {
	case static:
		why = "nothing was run, as asked for by --static"
	case !ours:
		why = fmt.Sprintf("the package has no executable for %s, so nothing was run", hostPlatform())
	case f.Refusal != nil || len(f.Review.Problems) > 0:
		why = "it can't be activated here, so nothing was run"
	default:
		err = x.run(ctx)
	}
	x.skipRest(why)
	return f, err
}

// refused keeps a refusal of the package's in the findings; any other error is returned.
func refused(f *Findings, err error) error {
	e := asProblem(err)
	if crm.KeyOf(err) == "module_upload_broken" || !slices.Contains([]crm.Kind{crm.Invalid, crm.Denied, crm.TooLarge, crm.Conflict}, e.Kind) {
		return err
	}
	f.Refusal = e
	return nil
}

// check does what an upload does, and goes on where only this machine is the wrong one.
func (m *Manager) check(ctx context.Context, f *Findings, filename string, data []byte) (*bundle, error) {
	review, err := m.Upload(ctx, crm.Operator(), filename, bytes.NewReader(data))
	elsewhere := crm.KeyOf(err) == "module_wrong_platform"
	if err != nil && !elsewhere {
		return nil, err
	}
	f.Review = review
	if len(review.Inner) > 0 {
		return nil, &review.Problems[0]
	}
	b, err := readForeign(filename, data)
	if err != nil || !elsewhere {
		return b, err
	}
	signer, err := m.whose(ctx, b)
	if err == nil {
		f.Review, err = m.reviewOf(ctx, cleanFilename(filename), b, signer)
	}
	return b, err
}

// examination is one run of the kit.
type examination struct {
	m      *Manager
	f      *Findings
	bundle *bundle
	admin  crm.Who

	unit     *unit
	row      crm.Module
	warnings []string // of the point that is being looked at
}

var allPoints = []string{
	pointLanguages, pointStart, pointDescribe, pointContributions, pointPure, pointLimits, pointActivate, pointSettings,
	pointPages, pointHealth, pointDeactivate, pointRestart, pointKill, pointStop,
}

// point looks at one thing and notes how it went.
func (x *examination) point(name string, look func() (string, error)) bool {
	x.warnings = nil
	said, err := look()
	p := Point{Name: name, Result: PointPassed, Reason: oneLine(said)}
	if err != nil {
		p.Result, p.Reason = PointFailed, oneLine(x.m.sentence(err))
	}
	p.Warnings = x.warnings
	x.f.Points = append(x.f.Points, p)
	return err == nil
}

func (x *examination) warn(format string, args ...any) {
	const most = 100
	if len(x.warnings) < most {
		x.warnings = append(x.warnings, oneLine(fmt.Sprintf(format, args...)))
	}
}

// oneLine makes words that may be a stranger's fit to stand behind ours, and no longer than a screen
// takes.
func oneLine(text string) string {
	const most = 2000
	text = Plain(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + " …"
	}
	return text
}

// skipRest notes the points that nobody got to, for why or because of the first that failed.
func (x *examination) skipRest(why string) {
	if i := slices.IndexFunc(x.f.Points, func(p Point) bool { return p.Result == PointFailed && p.Name != pointLanguages }); why == "" && i >= 0 {
		why = "not reached, because the point " + x.f.Points[i].Name + " failed"
	}
	var points []Point
	for _, name := range allPoints {
		if i := slices.IndexFunc(x.f.Points, func(p Point) bool { return p.Name == name }); i >= 0 {
			points = append(points, x.f.Points[i])
			continue
		}
		points = append(points, Point{Name: name, Result: PointSkipped, Reason: why})
	}
	x.f.Points = points
}

// run installs the package and has it live its life. It leaves no process.
func (x *examination) run(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, examineLimit)
	defer cancel()
	x.m.timing.backoff = min(x.m.timing.backoff, 200*time.Millisecond) // its author waits for it
	if err := x.m.Start(ctx); err != nil {
		return fmt.Errorf("examine: %w", err)
	}
	defer x.end()
	row, err := x.m.Install(ctx, crm.Operator(), x.f.Review.StagedID)
	if err != nil {
		return err
	}
	row.Grants = newGrants(x.bundle.manifest, row)
	x.row, x.unit = row, x.m.unit(row)
	if x.probe(ctx) {
		x.live(ctx)
	}
	if slices.ContainsFunc(x.f.Points, func(p Point) bool { return p.Result == PointFailed }) {
		for _, line := range x.unit.log.lines() {
			x.f.Log = append(x.f.Log, oneLine(line))
		}
	}
	return parent.Err()
}

// end is for when the kit was left early; it does nothing after a regular stop.
func (x *examination) end() {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	_ = x.m.Stop(ctx) // what is left when its time is up is killed
}

// live is the part of the kit that needs an activated module.
func (x *examination) live(ctx context.Context) {
	on := x.point(pointActivate, func() (string, error) { return x.activate(ctx) })
	if !on {
		return
	}
	x.point(pointSettings, func() (string, error) { return x.settings(ctx) })
	x.point(pointPages, func() (string, error) { return x.pages(ctx) })
	x.point(pointHealth, func() (string, error) { return x.health(ctx) })
	x.point(pointDeactivate, func() (string, error) { return x.deactivate(ctx) })
	if x.point(pointRestart, func() (string, error) { return x.activate(ctx) }) {
		x.point(pointKill, func() (string, error) { return x.survive(ctx) })
	}
	x.point(pointStop, func() (string, error) { return x.stop() })
}
