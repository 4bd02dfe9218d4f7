package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// replicaFile in the data folder keeps who lives there, over starts.
const replicaFile = "replica.json"

var replicaName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// resident is what replicaFile holds.
type resident struct {
	Name string `json:"name"` // unless --replica says otherwise
	Home string `json:"home"` // of the folder
}

// replica is as whom this process writes: what --replica says, or the name kept in the data folder.
// One database file has one replica, and needs no names. A name is made up by who serves: a command
// beside it must not leave one.
func (f dataFlags) replica() (crm.Replica, error) {
	if f.Replica != "" && !replicaName.MatchString(f.Replica) {
		return crm.Replica{}, fmt.Errorf("--replica is %q; it must be at most 64 letters, digits, dots, - and _, and begin with a letter or digit", f.Replica)
	}
	r := crm.Replica{Name: store.DefaultChain, Run: rand.Text()}
	if f.Database != "" {
		lives, err := readResident(f.Data)
		if err != nil {
			return crm.Replica{}, err
		}
		if lives.Name != "" {
			r.Name = lives.Name
		}
		r.Home = f.home(lives)
	}
	if f.Replica != "" {
		r.Name = f.Replica
	}
	return r, nil
}

// home is where this process lives, which at most one does at a time: a copy of the data folder, on
// this machine or another one, is another home. So is a machine that was copied whole, name and all,
// or started anew.
func (f dataFlags) home(lives resident) string {
	machine, _ := os.Hostname() // without it the rest must do, as without a boot_id
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.Join([]string{lives.Home, machine, string(bytes.TrimSpace(boot)), f.Data}, "@")
}

func readResident(data string) (lives resident, err error) {
	text, err := os.ReadFile(filepath.Join(data, replicaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return lives, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &lives)
	}
	if err == nil && !replicaName.MatchString(lives.Name) {
		err = fmt.Errorf("its name %q is none", lives.Name)
	}
	if err != nil {
		return lives, fmt.Errorf("read who lives in the data folder (remove %s to have it made anew): %w", filepath.Join(data, replicaFile), err)
	}
	return lives, nil
}

// settle makes up who lives in the data folder, at the first start on a shared database. Its caller
// owns the folder.
func (f dataFlags) settle() error {
	lives, err := readResident(f.Data)
	if err != nil || lives.Home != "" || f.Database == "" {
		return err
	}
	const suffix, most = 5, 40
	machine, _ := os.Hostname() // without one the rest must do
	machine = strings.Trim(regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(machine, "-"), "-._")
	if machine == "" {
		machine = "host"
	}
	lives = resident{Name: machine[:min(len(machine), most)] + "-" + strings.ToLower(rand.Text()[:suffix]), Home: rand.Text()}
	text, err := json.Marshal(lives)
	if err == nil {
		beside := filepath.Join(f.Data, "."+replicaFile)
		err = errors.Join(os.WriteFile(beside, append(text, '\n'), 0o600), os.Rename(beside, filepath.Join(f.Data, replicaFile)))
	}
	if err != nil {
		return fmt.Errorf("keep who lives in the data folder: %w", err)
	}
	return nil
}

// join tells the other replicas of this one; two of one name are one too many.
func (s *site) join(ctx context.Context) error {
	if s.store.Engine() == store.SQLite {
		return nil // a file has one server, see own
	}
	return s.app.JoinReplicas(ctx, s.replica)
}

// leave gives the name back. One that can't be is free after a while.
func (s *site) leave(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.app.LeaveReplicas(ctx); err != nil {
		log.Warn("give the replica's name back", "error", err)
	}
}

// sign gives a sign of life to the other replicas now and then. Who is not to go on is told why.
func (s *server) sign(ctx context.Context) <-chan error {
	lost := make(chan error, 1)
	go func() {
		every := time.NewTicker(app.ReplicaSign)
		defer every.Stop()
		for silent := false; ; {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			err := s.site.app.SignReplica(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case crm.KindOf(err) == crm.Conflict:
				lost <- err
				return
			case err != nil && !silent:
				s.log.Warn("the database doesn't answer; the other replicas can't see this one", "error", err)
			case err == nil && silent:
				s.log.Info("the database answers again")
			}
			silent = err != nil
		}
	}()
	return lost
}
