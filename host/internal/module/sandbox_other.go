//go:build !linux

package module

import (
	"context"
	"os"
)

// box is the sandbox of a child; there is none here.
type box struct{ level Level }

// enclose refuses what can't be had here, and otherwise changes nothing.
func (c *child) enclose(e enclosure, _ *os.File) error {
	if !(Level{}).Reaches(e.Require) {
		return tooLittle(Level{}, e.Require)
	}
	c.box = &box{}
	return nil
}

func (*box) started() {}

func (*box) await(context.Context) error { return nil }

func (*box) close() {}
