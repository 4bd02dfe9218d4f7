//go:build !linux

package hosttest

import "errors"

func startPostgres() (string, error) {
	return "", errors.New("starting a server is known for Linux only; name a running one in UNDERSTUDY_TEST_POSTGRES")
}
