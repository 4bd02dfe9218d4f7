package module

import "testing"

func freeze(t testing.TB, _ int) { t.Skip("processes can't be stopped here") }

func resume(t testing.TB, _ int) { t.Skip("processes can't be stopped here") }

func terminate(t testing.TB, _ int) { t.Skip("there is no asking here, only killing") }
