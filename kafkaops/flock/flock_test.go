package flock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"kassa/kafkaops/flock"
)

func TestALockIsHeldOnceAndWaitedForUntilTheContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := flock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flock.Try(path); !errors.Is(err, flock.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := flock.Wait(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a lock that is kept: %v", err)
	}
	got, err := flock.Wait(t.Context(), path, func() { held.Close() })
	if err != nil {
		t.Fatalf("waiting for a lock that is given back: %v", err)
	}
	got.Close()
}
