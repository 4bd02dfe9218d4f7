package crm

import "time"

// Replica is one of the host's processes on a database.
type Replica struct {
	Name      string // its chain of the Activity Log has it, too
	Home      string // the data folder it lives in, on its machine
	Run       string // random, of the process
	Version   string // of the host
	Knows     int64  // the last migration it knows
	StartedAt time.Time
	SeenAt    time.Time     // its last sign of life
	Silent    time.Duration // since then, by the database's clock
}

// ModuleReport is what a replica says of a module.
type ModuleReport struct {
	Module, Replica string
	Version, SHA256 string // what runs there, or would
	State           string
	Problem         string // a sentence's key and arguments, empty when there is none
	Since           time.Time
}
