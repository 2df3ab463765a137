package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// identity tells a process from a later one that was given the same pid.
type identity struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // when it started, in the kernel's own terms; compared, never read
}

// identify asks the kernel who has this pid now.
func identify(pid int) (identity, error) {
	start, err := processStart(pid)
	return identity{PID: pid, Start: start}, err
}

// readRecord reads what writeRecord wrote. No file means no processes.
func readRecord(path string) (map[string]identity, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var started map[string]identity
	if err := json.Unmarshal(b, &started); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return started, nil
}

// killOrphan kills the process if it still is the one that was recorded, and waits until it is gone. On Linux os.Process holds a
// pidfd from before the comparison on, so the signal cannot reach anyone else.
func killOrphan(id identity, patience time.Duration) error {
	p, err := os.FindProcess(id.PID)
	if err != nil {
		return nil // nobody has that pid
	}
	defer p.Release()
	if now, err := identify(id.PID); err != nil || now != id {
		return nil
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing process %d, left by another run: %w", id.PID, err)
	}
	for deadline := time.Now().Add(patience); ; {
		if now, err := identify(id.PID); err != nil || now != id {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d, left by another run, does not end", id.PID)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
