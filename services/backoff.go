package services

import (
	"context"
	"errors"
	"time"
)

// pause waits before try number n+1 (n counts from 0): least doubling up to most. It says whether to go on: false once ctx has ended.
func pause(ctx context.Context, n int, least, most time.Duration) bool {
	wait := most
	if n < 20 {
		wait = min(least<<n, most)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}

// outlive is a context that goes on for grace after ctx has ended, unless by a crash, and never longer than most.
func outlive(ctx context.Context, grace, most time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrCrashed) {
			cancel()
			return
		}
		time.AfterFunc(grace, cancel)
	})
	return longer, func() { stop(); cancel() }
}
