package stream

import (
	"context"
	"sync"
	"testing"
)

// TestNodesTellOfEvents: whose event log has grown on one node is heard on the others.
func TestNodesTellOfEvents(t *testing.T) {
	t.Parallel()
	urls := shared.Account(t)
	one, other := openAt(t, urls), openAt(t, urls)
	heard := make(chan string, 100)
	other.OnGrown(func(tenantID string) {
		select {
		case heard <- tenantID:
		default:
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	other.OnChange(func(context.Context) {})
	listening.Go(func() { _ = other.Run(ctx) })
	defer listening.Wait()
	defer cancel()
	eventually(t, "the other node hears of it", func() bool {
		one.Grown("acme") // it may not listen yet
		select {
		case tenantID := <-heard:
			return tenantID == "acme"
		default:
			return false
		}
	})
}
