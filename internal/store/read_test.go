package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"peal/internal/peal"
)

const endless = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n`

func TestAReadThatTakesTooLongIsStopped(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	_, err := listWithin(t.Context(), 50*time.Millisecond, s.reads, scanInto[int64], endless)
	if peal.KindOf(err) != peal.Overloaded || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v; want kind overloaded", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := list(ctx, s.reads, scanInto[int64], endless); peal.KindOf(err) == peal.Overloaded {
		t.Errorf("who gave up by himself is told %v", err)
	}
}

// TestSlowReadsDoNotStandInTheWayOfAuthentication holds every connection of the log.
func TestSlowReadsDoNotStandInTheWayOfAuthentication(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	ctx := t.Context()
	err := s.CreateTenant(ctx, peal.Tenant{ID: "a", Name: "a", CreatedAt: time.Now()})
	if err == nil {
		err = s.CreateKey(ctx, peal.Key{ID: "k", TenantID: "a", Hash: []byte{1}, Scopes: []string{"send"}, CreatedAt: time.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
	for range s.reads.Stats().MaxOpenConnections {
		conn, err := s.reads.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // it goes back to its pool
	}
	_, kerr := s.Key(ctx, "k")
	_, terr := s.Tenant(ctx, "a")
	_, _, uerr := s.UserPhone(ctx, "a", "u")
	if err := errors.Join(kerr, terr, uerr); err != nil {
		t.Errorf("with the log busy: %v", err)
	}
}
