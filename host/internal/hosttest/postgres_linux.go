package hosttest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// startPostgres makes a cluster in a temporary folder and serves it on a socket in that folder:
// no port, so that any number of test processes run side by side. Nothing is synced to disk.
func startPostgres() (string, error) {
	s, err := newPostgresServer("-c", "synchronous_commit=off", "-c", "autovacuum=off")
	if err != nil {
		return "", err
	}
	return s.address, s.start()
}

// postgresServer is a cluster in a folder of its own, and the server on it while it runs.
type postgresServer struct {
	dir, address string
	args         []string
	as           *syscall.Credential
	running      *exec.Cmd
	exited       chan error
}

func newPostgresServer(args ...string) (*postgresServer, error) {
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return nil, err
	}
	dir, err := processDir("postgres")
	if err != nil {
		return nil, err
	}
	s := &postgresServer{dir: dir, args: args}
	s.address = (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}).String()
	if s.as, err = unprivileged(dir); err != nil {
		return nil, err
	}
	out, err := s.command(initdb, "--pgdata", s.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s, nil
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *postgresServer) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	// SIGQUIT is PostgreSQL's immediate shutdown, which takes its children along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// start returns once the server answers.
func (s *postgresServer) start() error {
	postgres, err := postgresProgram("postgres")
	if err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-k", s.dir, "-h", "", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB"}
	s.running, s.exited = s.command(postgres, append(args, s.args...)...), make(chan error, 1)
	journal, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	s.running.Stdout, s.running.Stderr = journal, journal
	started := make(chan error, 1)
	go func() {
		// The kernel tells a child of its parent's death when the thread that started it ends.
		// This one is kept for as long as the server lives.
		runtime.LockOSThread()
		err := s.running.Start()
		started <- err
		if err == nil {
			err = s.running.Wait()
		}
		s.exited <- errors.Join(err, journal.Close())
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	return s.answers(journal.Name())
}

func (s *postgresServer) answers(journal string) error {
	deadline := time.After(Patience)
	for {
		err := onServer(s.address, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case err := <-s.exited:
			said, _ := os.ReadFile(journal)
			return fmt.Errorf("postgres ended at start: %w: %s", err, said)
		case <-deadline:
			return fmt.Errorf("postgres doesn't answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// postgresProgram finds a program of the server, which Debian keeps out of PATH.
func postgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is neither in PATH nor in /usr/lib/postgresql: install postgresql, or name a running server in UNDERSTUDY_TEST_POSTGRES", name)
	}
	return found[len(found)-1], nil
}

// unprivileged hands dir to the user the server runs as: PostgreSQL refuses to run as root.
// Nil means as ourselves.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("a user to run PostgreSQL as: %w", err)
		}
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, fmt.Errorf("give %s to %s: %w", dir, account.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
