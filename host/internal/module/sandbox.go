package module

import (
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module/launcher"
)

// Level is what a module's process is held to.
type Level = launcher.Level

// Requirement is the least a module's sandbox must be for the module to be started.
type Requirement = launcher.Requirement

// The requirements.
const (
	RequireNothing = launcher.RequireNothing
	RequireFiles   = launcher.RequireFiles
	RequireFull    = launcher.RequireFull
)

// enclosure says what a process may reach.
type enclosure = launcher.Enclosure

// tooLittle refuses a start below what is required.
func tooLittle(l Level, r Requirement) *crm.Error {
	return crm.Refuse(crm.Unavailable, "module_sandbox_too_little", "Required", string(r), "Reached", l.String())
}

// sandbox is what the running process is held to, nil when none runs.
func (u *unit) sandbox() *Level {
	r := u.current.Load()
	if r == nil {
		return nil
	}
	return r.process.child.level()
}

// level is known once the child is started.
func (c *child) level() *Level {
	if c.box == nil {
		return &Level{}
	}
	level := c.box.level
	return &level
}
