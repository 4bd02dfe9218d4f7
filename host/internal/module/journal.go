package module

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// journal is what a host leaves for the next one while it brings modules up: a host that dies says
// nothing, so it is written before. It is a file beside the database, one for every replica, gone
// once the host has stood for a while or was stopped in order. Without a path none is kept.
type journal struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	record startRecord
	closed bool
}

// startRecord is the journal's file.
type startRecord struct {
	Starts   int            `json:"starts"`             // in a row that did not get through, this one included
	Starting []string       `json:"starting,omitempty"` // modules on their way up, now
	Seen     map[string]int `json:"seen,omitempty"`     // in how many of the earlier starts each was on its way up when the host died
	Blamed   blame          `json:"blamed,omitzero"`    // whom safe mode names, while it lasts
}

// blame names a version of a module.
type blame struct {
	ID     string `json:"id,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// FailedStarts reads a journal: how many starts in a row did not get through, the one that runs now
// included, and which modules were on their way up in the last. None when there is no journal.
func FailedStarts(path string) (starts int, starting []string, err error) {
	left, err := readStarts(path)
	return left.Starts, left.Starting, err
}

func readStarts(path string) (left startRecord, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return left, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	return left, err
}

// open reads what the last host left: the starts that failed in a row, and who was on the way up in
// how many of them. A file nobody can read counts as none.
func (j *journal) open() startRecord {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = j.path == ""
	if j.closed {
		return startRecord{}
	}
	left, err := readStarts(j.path)
	if err != nil {
		j.log.Warn("the record of failed starts can't be read and is left out", "path", j.path, "error", err)
		return startRecord{}
	}
	for _, id := range left.Starting {
		if left.Seen == nil {
			left.Seen = map[string]int{}
		}
		left.Seen[id]++
	}
	left.Starting = nil
	return left
}

// keep writes the record anew.
func (j *journal) keep(r startRecord) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.record = r
	j.write()
}

// starting notes that a module is on its way up, until the function it returns is called.
func (j *journal) starting(id string) (ended func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.record.Starting = append(j.record.Starting, id)
	j.write()
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if i := slices.Index(j.record.Starting, id); i >= 0 {
			j.record.Starting = slices.Delete(j.record.Starting, i, i+1)
		}
		j.write()
	}
}

// through forgets it all: this start succeeded, or was ended in order.
func (j *journal) through() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.closed = true
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.log.Warn("remove the record of failed starts", "path", j.path, "error", err)
	}
}

// write puts the record in place whole; its caller holds mu. A host that can't keep it runs on.
func (j *journal) write() {
	if j.closed {
		return
	}
	text, err := json.Marshal(j.record)
	if err == nil {
		beside := filepath.Join(filepath.Dir(j.path), "."+filepath.Base(j.path))
		err = errors.Join(os.WriteFile(beside, text, 0o600), os.Rename(beside, j.path))
	}
	if err != nil {
		j.log.Warn("keep the record of starts", "path", j.path, "error", err)
	}
}
