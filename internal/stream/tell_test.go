package stream

import (
	"context"
	"sync"
	"testing"
)

// TestNodesTellOfEvents: whose event log has grown on one node is heard on the others, and not on itself.
func TestNodesTellOfEvents(t *testing.T) {
	t.Parallel()
	urls := shared.Account(t)
	one, other := openAt(t, urls), openAt(t, urls)
	heard, echoes := make(chan string, 100), make(chan string, 100)
	hear := func(c chan string) func(string) {
		return func(tenantID string) {
			select {
			case c <- tenantID:
			default:
			}
		}
	}
	one.OnGrown(hear(echoes))
	other.OnGrown(hear(heard))
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	for _, s := range []*Stream{one, other} {
		s.OnChange(func(context.Context) {})
		listening.Go(func() { _ = s.Run(ctx) })
	}
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
	select {
	case <-echoes:
		t.Error("a node hears itself")
	default:
	}
}
