//go:build !linux

package module

import (
	"errors"
	"time"
)

// spent isn't known here.
func (*child) spent() (time.Duration, error) { return 0, errors.ErrUnsupported }

func (*child) yield() error { return errors.ErrUnsupported }
