package local

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// processStart is the wall time at which the process started, from the kernel's process table. A zombie counts as gone.
func processStart(pid int) (string, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", err
	}
	const zombie = 5 // SZOMB in sys/proc.h
	if info.Proc.P_stat == zombie {
		return "", os.ErrProcessDone
	}
	return fmt.Sprintf("%d.%06d", info.Proc.P_starttime.Sec, info.Proc.P_starttime.Usec), nil
}
