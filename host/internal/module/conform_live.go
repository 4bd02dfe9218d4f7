package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const (
	pageLimit  = 20 * time.Second // for a whole page
	pageBytes  = 16 << 20         // of a page; what follows isn't waited for
	stopLimit  = 20 * time.Second
	againLimit = 30 * time.Second // for a killed module to be back
	pollEvery  = 10 * time.Millisecond
)

func (x *examination) activate(ctx context.Context) (string, error) {
	if err := x.m.Activate(ctx, crm.Operator(), x.row.ID); err != nil {
		return "", err
	}
	r, err := x.m.active(x.row.ID)
	if err != nil {
		return "", err
	}
	if pid, err := strconv.Atoi(r.process.child.ID()); err == nil && x.f.Measured.IdleBytes == 0 {
		x.f.Measured.IdleBytes = residentBytes(pid)
	}
	if idle := x.f.Measured.IdleBytes; idle > 0 {
		return "it answers, idle with " + megabytes(idle), nil
	}
	return "it answers", nil
}

// settings has the module take its own defaults, as if somebody had pressed Save at once.
func (x *examination) settings(ctx context.Context) (string, error) {
	r, err := x.awake(ctx)
	if err != nil {
		return "", err
	}
	values := *r.values.Load()
	if len(values) == 0 {
		return "it has none", nil
	}
	if err := x.m.SaveSettings(ctx, x.admin, x.row.ID, values); err != nil {
		return "", fmt.Errorf("its own default values: %w", err)
	}
	return fmt.Sprintf("its %d default values can be saved", len(values)), nil
}

// pages asks for every page that an administrator may open without having been led there.
func (x *examination) pages(ctx context.Context) (string, error) {
	r, err := x.awake(ctx)
	if err != nil {
		return "", err
	}
	viewer := Viewer{Who: x.admin, Area: crm.Admin, Language: english}
	asked, others := 0, 0
	var failed []error
	for _, p := range r.added.Load().pages {
		if page, ok := x.m.Surface().Page(x.row.ID, crm.Admin, p.path); !ok || !page.Allowed(viewer) {
			others++
			continue
		}
		asked++
		if err := x.page(ctx, viewer, p.path); err != nil {
			failed = append(failed, fmt.Errorf("%s: %s", p.path, x.m.sentence(r.startFault("module_crashed", err))))
		}
		const enough = 5
		if len(failed) >= enough || ctx.Err() != nil {
			break
		}
		if r, err = x.awake(ctx); err != nil {
			return "", errors.Join(append(failed, err)...)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return "", err
	}
	if others > 0 {
		x.warn("%d pages were not asked for: they stand in the portal only, or their rule does not allow them to an administrator at once", others)
	}
	return fmt.Sprintf("%d answered", asked), nil
}

func (x *examination) page(ctx context.Context, viewer Viewer, path string) error {
	ctx, cancel := context.WithTimeout(ctx, pageLimit)
	defer cancel()
	answer, err := x.m.Answer(ctx, PageRequest{
		Module: x.row.ID, Method: http.MethodGet, Path: path, Header: http.Header{"Accept": {"text/html"}},
		Viewer: viewer, FormToken: "none", BasePath: "/admin/m/" + x.row.ID,
	})
	if err != nil {
		return err
	}
	if answer.File.Body != nil {
		defer answer.File.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(answer.File.Body, pageBytes)); err != nil {
			return err
		}
	}
	if answer.Status >= http.StatusInternalServerError {
		return fmt.Errorf("it answered with status %d", answer.Status)
	}
	if answer.explain != nil {
		for _, removal := range answer.explain() {
			x.warn("%s: left out: %s", path, removal)
		}
	}
	return nil
}

func (x *examination) health(ctx context.Context) (string, error) {
	r, err := x.awake(ctx)
	if err != nil {
		return "", err
	}
	return "", r.health(ctx)
}

// deactivate asks the module to finish, which it has five seconds for.
func (x *examination) deactivate(ctx context.Context) (string, error) {
	r, err := x.awake(ctx)
	if err != nil {
		return "", err
	}
	if err := x.m.Deactivate(ctx, crm.Operator(), x.row.ID); err != nil {
		return "", err
	}
	r.mu.Lock()
	farewell := r.farewell
	r.mu.Unlock()
	if farewell != nil {
		return "", farewell
	}
	return "", x.nothingLeft()
}

// survive kills the module's process as the kernel does when memory is short.
func (x *examination) survive(ctx context.Context) (string, error) {
	r, err := x.awake(ctx)
	if err != nil {
		return "", err
	}
	pid, err := strconv.Atoi(r.process.child.ID())
	if err != nil {
		return "", err
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		return "", fmt.Errorf("kill its process: %w", err)
	}
	within(againLimit, r.process.child.done)
	for now := r; now == r; {
		if now, err = x.awake(ctx); err != nil {
			return "", fmt.Errorf("its process was killed, and it did not come back: %w", err)
		}
	}
	return "killed, it was active again", nil
}

// stop ends everything, as the end of the host does, and looks for what is left.
func (x *examination) stop() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if err := x.m.Stop(ctx); err != nil {
		return "", fmt.Errorf("it did not end in time: %w", err)
	}
	if err := x.nothingLeft(); err != nil {
		return "", err
	}
	if err := x.untouched(); err != nil {
		return "", fmt.Errorf("it changed its package: %w", err)
	}
	return "no process and no file is left", nil
}

// nothingLeft looks for processes and files of the module's after its end.
func (x *examination) nothingLeft() error {
	if left := processesOf(x.m.shelf.path); len(left) > 0 {
		return fmt.Errorf("processes are left: %v", left)
	}
	if files := tree(x.m.runDir); len(files) > 0 {
		return fmt.Errorf("it left files behind: %s", some(files))
	}
	return nil
}

// awake waits for the module to run: it may have crashed a moment ago, and then comes back.
func (x *examination) awake(ctx context.Context) (*running, error) {
	ctx, cancel := context.WithTimeout(ctx, againLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		r, err := x.m.active(x.row.ID)
		if err == nil && r.process.child.alive() {
			return r, nil
		}
		x.m.mu.Lock()
		state, problem := x.unit.state, x.unit.problem
		x.m.mu.Unlock()
		if state == Failed && problem != nil {
			return nil, problem
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if problem != nil {
				return nil, problem
			}
			return nil, notRunning(x.bundle.manifest.Name)
		}
	}
}

// alive tells whether the process has not been seen to end.
func (c *child) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}
