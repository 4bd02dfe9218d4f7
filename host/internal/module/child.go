package module

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// child is one operating-system process. It is go-plugin's runner, so that start, end and signals
// are ours: go-plugin alone has no deadline for a process that is stopped.
type child struct {
	cmd            *exec.Cmd
	folder         string // its sockets and temporary files, nothing else
	stdout, stderr pipe
	prints         throttle
	done           chan struct{}     // closed when it has ended and is reaped
	box            *box              // nil: it is started directly, confined by nothing
	refused        func(what string) // told what the process tried and may not; nil tells nobody
	group          *cgroup           // nil: its memory isn't counted
	sated          bool              // read after done: the kernel ended it because it had taken all the memory it may

	mu     sync.Mutex
	reaped bool
	killed bool // by us
}

var _ runner.Runner = (*child)(nil)

type pipe struct{ read, write *os.File }

func newPipe() (p pipe, err error) {
	p.read, p.write, err = os.Pipe()
	return p, err
}

// newChild prepares a process. Its environment is env and nothing of the host's.
func newChild(executable, folder string, env []string) (*child, error) {
	c := &child{folder: folder, done: make(chan struct{})}
	var err error
	if c.stdout, err = newPipe(); err != nil {
		return nil, err
	}
	if c.stderr, err = newPipe(); err != nil {
		return nil, errors.Join(err, c.stdout.read.Close(), c.stdout.write.Close())
	}
	c.cmd = exec.CommandContext(context.Background(), executable)
	c.cmd.Dir, c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = folder, env, c.stdout.write, c.stderr.write
	confine(c.cmd)
	return c, nil
}

// Start starts the process from a thread that lives as long as it does: the kernel's parent-death
// signal means the parent's thread, and Go ends threads when it likes.
func (c *child) Start(ctx context.Context) error {
	started := make(chan error, 1)
	go c.live(started)
	if err := <-started; err != nil {
		return err
	}
	return c.box.await(ctx)
}

func (c *child) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.begin()
	_, _ = c.stdout.write.Close(), c.stderr.write.Close()
	c.box.started()
	c.group.started()
	if err != nil {
		c.box.close()
		c.group.remove()
		c.closeReaders()
		c.mu.Lock()
		c.reaped = true
		c.mu.Unlock()
		close(c.done)
		started <- err
		return
	}
	started <- nil
	c.reap()
	_ = os.Rename(c.folder, c.left()) // go-plugin would remove it by its own name, and open a file for each folder down
	c.sated = c.group.sated()
	c.group.remove()
	close(c.done)
	// A process that got away from the group may hold the pipes open; the readers don't wait for it.
	time.AfterFunc(time.Second, c.closeReaders)
}

// left is where the folder is once the process has ended.
func (c *child) left() string { return c.folder + "-left" }

// begin starts the process unless it was killed before: what is given up while it is about to start
// must not start a moment later, with nobody left to end it.
func (c *child) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.killed {
		return errGivenUp
	}
	return c.cmd.Start()
}

var errGivenUp = errors.New("given up before it was started")

func (c *child) closeReaders() { _, _ = c.stdout.read.Close(), c.stderr.read.Close() }

// Wait returns when the process has ended.
func (c *child) Wait(context.Context) error {
	<-c.done
	return nil
}

// Kill ends the process and its group at once, or keeps it from being started.
func (c *child) Kill(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaped {
		return nil
	}
	c.killed = true
	if c.cmd.Process == nil {
		return nil
	}
	return killGroup(c.cmd.Process)
}

// Stdout is what the handshake is read from.
func (c *child) Stdout() io.ReadCloser { return throttled{c.stdout.read, &c.prints} }

// Stderr is what the log is read from.
func (c *child) Stderr() io.ReadCloser { return throttled{c.stderr.read, &c.prints} }

// Name is for go-plugin's own log lines.
func (c *child) Name() string { return filepath.Base(c.cmd.Args[0]) }

// ID is the process id.
func (c *child) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(c.cmd.Process.Pid)
}

// Diagnose leaves it to the log's last lines and the exit status.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost takes only addresses within the child's own folder: the host connects to nothing
// else because a module says so.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	if runtime.GOOS == "windows" && network == "tcp" && strings.HasPrefix(address, "127.0.0.1:") {
		return network, address, nil
	}
	if network != "unix" || filepath.Dir(address) != c.folder {
		return "", "", errors.New("the module names a socket outside its folder")
	}
	return network, address, nil
}

// HostToPlugin leaves addresses as they are: both live on one machine.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// ended says how the process ended; ok is false while it runs or when we ended it.
func (c *child) ended() (code int, signal string, ok bool) {
	select {
	case <-c.done:
	default:
		return 0, "", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.cmd.ProcessState
	if state == nil {
		return 0, "", false
	}
	signal = signalOf(state)
	return state.ExitCode(), signal, signal == "" || !c.killed
}

// fault is why a process that ended by itself did so, nil while it runs or when we ended it.
func (c *child) fault(prefix string) *crm.Error {
	if _, _, ok := c.ended(); !ok {
		return nil
	}
	return c.end(prefix)
}

// end says in one of three sentences how the process ended.
func (c *child) end(prefix string) *crm.Error {
	code, signal, _ := c.ended()
	switch {
	case c.sated:
		return crm.Refuse(crm.Unavailable, prefix+"_memory", "Max", maxMemory>>20)
	case signal != "":
		return crm.Refuse(crm.Unavailable, prefix+"_signal", "Signal", signal)
	}
	return crm.Refuse(crm.Unavailable, prefix+"_exit", "Code", code)
}
