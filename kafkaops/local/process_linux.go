package local

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// processStart is field 22 of /proc/PID/stat (clock ticks since boot, proc(5)) behind the boot's id. A zombie counts as gone.
func processStart(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The name in field 2 may hold spaces and parentheses; nothing behind its last one does.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, start = 0, 22 - 3 // the first of them is field 3
	if len(fields) <= start || fields[state] == "Z" {
		return "", os.ErrProcessDone
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[start], nil
}
