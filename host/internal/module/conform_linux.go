package module

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processesOf lists the processes whose executable stands below a folder.
func processesOf(folder string) []int {
	var found []int
	names, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, name := range names {
		target, err := os.Readlink(name)
		if err != nil || !strings.HasPrefix(target, folder+"/") {
			continue // gone, or somebody else's
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// residentBytes is the memory a process holds, 0 when it can't be read.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}
