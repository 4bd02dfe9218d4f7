package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module/launcher"
)

// box is the host's side of a child's sandbox: it hears from the launcher how far it got.
type box struct {
	enclosure enclosure
	theirs    *os.File // the launcher's end, which no module gets to see
	report    *net.UnixConn
	level     Level
	refused   func(what string)
}

// enclose has the child started through the launcher: this same program, executed again, which
// confines itself and then becomes the module. The executable is handed over open, as it was
// hashed, so whatever stands at its path a moment later is not what runs.
func (c *child) enclose(e enclosure, executable *os.File) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("start a module: %w", err)
	}
	b := &box{enclosure: e, theirs: os.NewFile(uintptr(pair[1]), "report"), refused: c.refused}
	ours := os.NewFile(uintptr(pair[0]), "report")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return errors.Join(err, b.theirs.Close())
	}
	b.report = conn.(*net.UnixConn) //nolint:errcheck,forcetypeassert // of a Unix socket it is nothing else
	b.enclosure.Parent, b.enclosure.Guard = os.Getpid(), !e.Network && canGuard()
	b.enclosure.Group, b.enclosure.Doors = c.group.title(), len(c.group.doors())
	c.cmd.Path, c.cmd.Args = "/proc/self/exe", append([]string{filepath.Base(e.Program)}, b.enclosure.Args()...)
	c.cmd.ExtraFiles = append([]*os.File{executable, b.theirs}, c.group.doors()...)
	c.box = b
	return nil
}

// started gives up what the child has by now.
func (b *box) started() {
	if b != nil {
		_ = b.theirs.Close()
	}
}

// close gives up the host's end.
func (b *box) close() {
	if b != nil {
		_ = b.report.Close()
	}
}

// await returns once the launcher has become the module, or says why it could not. The launcher's
// end of the connection closes with that step, so a module can't add a word.
func (b *box) await(ctx context.Context) error {
	if b == nil {
		return nil
	}
	defer b.close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = b.report.SetReadDeadline(deadline) // of a fresh connection
	}
	first, listener, err := b.read()
	if err != nil {
		return &crm.Error{Kind: crm.Unavailable, Key: "module_sandbox_failed", Args: map[string]any{"Detail": printable(err.Error())}, Err: err}
	}
	if first.Problem != "" {
		return failure(first, b.enclosure.Program)
	}
	b.level = first.Level
	if listener != nil {
		go newGuard(b.enclosure.Run, listener, b.refused).run()
	}
	if first.Refused {
		return tooLittle(first.Level, b.enclosure.Require)
	}
	last, _, err := b.read()
	if err == nil {
		return failure(last, b.enclosure.Program)
	}
	if errors.Is(err, errSilent) {
		return nil
	}
	return &crm.Error{Kind: crm.Unavailable, Key: "module_sandbox_failed", Args: map[string]any{"Detail": printable(err.Error())}, Err: err}
}

// failure is a launcher's last word as a sentence.
func failure(r launcher.Report, program string) error {
	err := errors.New(r.Problem)
	if r.NoProgram {
		return notStartable(program, err)
	}
	return &crm.Error{Kind: crm.Unavailable, Key: "module_sandbox_failed", Args: map[string]any{"Detail": printable(r.Problem)}, Err: err}
}

// errSilent means that the launcher's end was closed.
var errSilent = errors.New("the launcher ended without a word")

// read takes one message and the open file that may come with it.
func (b *box) read() (r launcher.Report, listener *os.File, err error) {
	text, beside := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := b.report.ReadMsgUnix(text, beside)
	if errors.Is(err, io.EOF) {
		return r, nil, errSilent
	}
	if err != nil {
		return r, nil, fmt.Errorf("hear from the launcher: %w", err)
	}
	if r, err = launcher.ReadReport(string(text[:n])); err != nil {
		return r, nil, fmt.Errorf("hear from the launcher: %w", err)
	}
	if m == 0 {
		return r, nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(beside[:m])
	if err != nil || len(messages) != 1 {
		return r, nil, fmt.Errorf("hear from the launcher: %w", err)
	}
	files, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(files) != 1 {
		return r, nil, fmt.Errorf("hear from the launcher: %w", err)
	}
	unix.CloseOnExec(files[0])
	err = unix.SetNonblock(files[0], true) // before it becomes a File, which would wait for it with a thread otherwise
	return r, os.NewFile(uintptr(files[0]), "connects"), err
}
