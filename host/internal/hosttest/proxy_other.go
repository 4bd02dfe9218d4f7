//go:build !linux

package hosttest

import (
	"errors"
	"testing"
)

func nginxProgram() (string, error) { return "", errors.New("this kit starts it on Linux alone") }

func startNginx(testing.TB, *Proxy, string, string) bool { return false }
