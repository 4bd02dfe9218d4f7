package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/proto"
)

// launch says what to start and how.
type launch struct {
	executable string
	digest     digest    // what the executable must hash to, now
	enclosure  enclosure // what it may reach; the rest of it is filled in at the start
	direct     bool      // without the launcher, confined by nothing
	groups     *cgroups  // where its memory can be counted, nil for nowhere
	runDir     string    // the module's run folder
	log        *moduleLog
	timeout    time.Duration // for the handshake, and again for the connection
}

// process is a started module's process and the connection to it.
type process struct {
	child   *child
	client  *plugin.Client
	conn    *grpc.ClientConn
	broker  *plugin.GRPCBroker
	spans   *spans
	config  *plugin.ClientConfig
	address net.Addr
	socket  string // empty where there are no Unix sockets

	making  sync.Mutex // held while the child is made
	givenUp bool       // nobody waits for it any more, so none is to be made
}

// maxSocketPath is what fits into a socket address on every system, with room to spare.
const maxSocketPath = 100

// FitsSockets tells whether a run folder's path is short enough for the sockets of any module.
func FitsSockets(runDir string) bool {
	longestID := strings.Repeat("x", 32)
	return checkRunDir(filepath.Join(runDir, longestID)) == nil
}

// socketPath is the longest path go-plugin can make below a run folder.
func socketPath(runDir string) string {
	return filepath.Join(runDir, "plugin-dir4294967295", "plugin4294967295")
}

// checkRunDir names the cause before a start fails with a misleading one.
func checkRunDir(runDir string) error {
	if n := len(socketPath(runDir)); n >= maxSocketPath {
		return crm.Refuse(crm.Unavailable, "module_run_path_long", "Path", runDir, "Length", n, "Max", maxSocketPath-1)
	}
	return nil
}

// startProcess starts the executable and connects to it. When it fails nothing of the process is
// left, and the error says how it ended: an exit code, a signal, no handshake, no answer in time.
func startProcess(ctx context.Context, l launch) (*process, error) {
	if err := checkRunDir(l.runDir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.runDir, 0o700); err != nil {
		return nil, notWritable(l.runDir, err)
	}
	file, err := os.Open(l.executable)
	if err != nil {
		return nil, notStartable(l.executable, err)
	}
	defer file.Close()
	checked := checkExecutable(file, l.digest)
	defer checked() //nolint:errcheck // the file is open until it has been read
	p := &process{spans: newSpans(filepath.Base(l.runDir))}
	p.config = p.configFor(l, file, checked)
	p.client = plugin.NewClient(p.config)
	if err := p.connect(ctx, l); err != nil {
		p.stop(0)
		return nil, p.whyNot(l, err)
	}
	return p, nil
}

// checkExecutable compares the file with its checksum, while go-plugin makes its keys. What it returns
// waits for that, and must be asked before the file is started.
func checkExecutable(f *os.File, want digest) (checked func() error) {
	result := make(chan error, 1)
	go func() {
		got, err := digestOf(f)
		switch {
		case err != nil:
			err = notStartable(f.Name(), err)
		case got != want:
			err = crm.Refuse(crm.Unavailable, "module_file_changed", "File", f.Name())
		}
		result <- err
	}()
	return sync.OnceValue(func() error { return <-result })
}

func (p *process) configFor(l launch, executable *os.File, checked func() error) *plugin.ClientConfig {
	lines := &lineWriter{log: l.log, level: "info"}
	return &plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 0, MagicCookieKey: proto.HandshakeCookieKey, MagicCookieValue: proto.HandshakeCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{proto.ProtocolVersion: {proto.PluginName: &connection{process: p}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     l.timeout,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: l.runDir},
		Logger:           l.log.hclog(filepath.Base(l.executable)),
		SyncStdout:       lines,
		SyncStderr:       lines,
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(proto.MaxAnswerBytes), grpc.MaxCallSendMsgSize(proto.MaxMessageBytes)),
			grpc.WithChainStreamInterceptor(boundBroker, p.spans.stream), grpc.WithChainUnaryInterceptor(p.spans.unary),
		},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, folder string) (runner.Runner, error) {
			if err := checked(); err != nil {
				return nil, err
			}
			p.making.Lock()
			defer p.making.Unlock()
			if p.givenUp {
				return nil, errGivenUp
			}
			c, err := newChild(l.executable, folder, environment(spec.Env, folder))
			if err != nil {
				return nil, err
			}
			p.child, c.refused = c, func(what string) { l.log.add("warn", "refused: "+what, "") }
			if l.direct {
				return c, nil
			}
			if c.group = l.groups.make(filepath.Base(l.runDir)); c.group != nil {
				c.cmd.Env = append(c.cmd.Env, fmt.Sprintf("GOMEMLIMIT=%d", maxMemory/8*7)) // so that Go collects its garbage in time
			}
			e := l.enclosure
			e.Program, e.Run = l.executable, folder
			return c, c.enclose(e, executable)
		},
	}
}

// environment is all a module gets to see: what go-plugin needs and what a program can't do
// without. Nothing of the host's own environment, which may hold passwords.
func environment(handshake []string, folder string) []string {
	env := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "HOME=" + folder, "TMPDIR=" + folder, "TMP=" + folder, "TEMP=" + folder}
	if root := os.Getenv("SystemRoot"); root != "" {
		env = append(env, "SystemRoot="+root) // Windows programs don't start without it
	}
	return append(env, handshake...)
}

// connection is how go-plugin hands over connection and broker.
type connection struct {
	plugin.NetRPCUnsupportedPlugin
	process *process
}

// GRPCServer is the module's business.
func (*connection) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the host is no module")
}

// GRPCClient takes over what go-plugin made.
func (c *connection) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	c.process.broker, c.process.conn = broker, conn
	return c.process, nil
}

// connect starts and connects, and gives up when ctx does, when the process dies or when time is up.
func (p *process) connect(ctx context.Context, l launch) error {
	result := make(chan error, 1)
	go func() { result <- p.dial() }()
	limit := time.NewTimer(2 * l.timeout)
	defer limit.Stop()
	var err error
	select {
	case err = <-result:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-limit.C:
		err = errStartTimeout
	}
	// go-plugin holds its lock while it starts: killing the process is what makes it let go.
	p.making.Lock()
	p.givenUp = true
	if p.child != nil {
		_ = p.child.Kill(ctx)
	}
	p.making.Unlock()
	return errors.Join(err, <-result)
}

var errStartTimeout = errors.New("timeout while connecting")

func (p *process) dial() error {
	address, err := p.client.Start()
	if err != nil {
		return err
	}
	p.address = address
	if address.Network() == "unix" {
		p.socket = address.String()
	}
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	_, err = protocol.Dispense(proto.PluginName)
	return err
}

// whyNot turns a failed start into a sentence.
func (p *process) whyNot(l launch, err error) error {
	if crm.KeyOf(err) != "" {
		return err // the launcher's own sentence
	}
	if p.child != nil {
		if fault := p.child.fault("module_start"); fault != nil {
			return fault
		}
	}
	seconds := int(l.timeout / time.Second)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return notStartable(l.executable, err)
	case errors.Is(err, context.Canceled):
		return &crm.Error{Kind: crm.Unavailable, Key: "module_start_cancelled", Err: err}
	case errors.Is(err, errStartTimeout), strings.Contains(err.Error(), "timeout while waiting"):
		return &crm.Error{Kind: crm.Unavailable, Key: "module_start_timeout", Args: map[string]any{"Seconds": seconds}, Err: err}
	case strings.Contains(err.Error(), "incompatible API version"):
		return &crm.Error{Kind: crm.Unavailable, Key: "module_start_protocol", Err: err}
	}
	return &crm.Error{Kind: crm.Unavailable, Key: "module_start_handshake", Err: err}
}

func notStartable(name string, err error) error {
	folder := filepath.Dir(name)
	if noExec(folder) {
		return &crm.Error{Kind: crm.Unavailable, Key: "module_folder_noexec", Args: map[string]any{"Path": folder}, Err: err}
	}
	return &crm.Error{Kind: crm.Unavailable, Key: "module_not_startable", Args: map[string]any{"File": name}, Err: err}
}

// stop ends the process: go-plugin's own shutdown for at most grace, then SIGKILL to the group.
// It returns within grace and a few seconds whatever the process does.
func (p *process) stop(grace time.Duration) {
	if p.child == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		p.client.Kill()
		close(closed)
	}()
	if !within(grace, p.child.done) {
		_ = p.child.Kill(context.Background())
	}
	const settle = 3 * time.Second // for the kernel, and for go-plugin to notice
	within(settle, p.child.done)
	within(settle, closed)
	cleared := make(chan struct{})
	go func() {
		defer close(cleared)
		_, _ = clearAway(p.child.folder), clearAway(p.child.left()) // what stays is cleared away at the next start of the host
	}()
	within(settle, cleared) // a module may have left millions of files
}

// within waits for done, but no longer than limit.
func within(limit time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// lost tells that the process can't be reached any more although it lives: somebody removed its socket.
func (p *process) lost() bool {
	if p.socket == "" {
		return false
	}
	_, err := os.Lstat(p.socket)
	return errors.Is(err, fs.ErrNotExist)
}

// another opens one more connection to the process, by which one learns whether it still takes any.
// Close it.
func (p *process) another() (*grpc.ClientConn, error) {
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, p.address.Network(), p.address.String())
	}
	return grpc.NewClient("passthrough:///module", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(credentials.NewTLS(p.config.TLSConfig)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(proto.MaxAnswerBytes)))
}

// serve puts the host's services on a connection of their own and returns its broker id once they
// can be reached.
func (p *process) serve(options []grpc.ServerOption, register func(*grpc.Server)) (uint32, error) {
	id := p.broker.NextId()
	ready := make(chan struct{})
	go p.broker.AcceptAndServe(id, func(tls []grpc.ServerOption) *grpc.Server {
		server := grpc.NewServer(append(tls, options...)...)
		register(server)
		close(ready)
		return server
	})
	select {
	case <-ready:
		return id, nil
	case <-p.child.done:
		return 0, errors.New("offer the host's services: the process has ended")
	case <-time.After(5 * time.Second):
		return 0, fmt.Errorf("offer the host's services: no listener in %s", filepath.Base(p.child.folder))
	}
}
