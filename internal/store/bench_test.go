//go:build unix

package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/store"
	"peal/internal/store/pgtest"
)

// BenchmarkWrites tells what a delivery costs the records, by step, 100 to a transaction. Of PostgreSQL the processor's
// time is the client's.
func BenchmarkWrites(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkWrites(b, store.Config{Path: filepath.Join(b.TempDir(), "peal.db")}) })
	b.Run("postgres", func(b *testing.B) { benchmarkWrites(b, store.Config{URL: pgtest.URL(b)}) })
}

func benchmarkWrites(b *testing.B, cfg store.Config) {
	b.Helper()
	const batch = 100
	ctx := context.Background()
	s, err := store.Open(ctx, cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	in := &peal.Integration{TenantID: "t", ID: peal.NewID(), Channel: peal.ChannelWhatsApp}
	payload := []byte(`{"text":"` + strings.Repeat("x", 800) + `"}`)
	var spent [3]time.Duration
	cpu := cpuTime(b)
	for b.Loop() {
		now := time.Now()
		subs := make([]pipeline.Submission, batch)
		ids := make([]string, batch)
		attempts := make([]peal.Attempt, batch)
		for i := range subs {
			n := peal.Notification{TenantID: "t", ID: peal.NewID(), Phone: fmt.Sprintf("+9198%08d", i), CreatedAt: now}
			id, err := peal.DeliveryID(n.ID, in.ID, n.Phone)
			if err != nil {
				b.Fatal(err)
			}
			ids[i] = id
			subs[i] = pipeline.Submission{Notification: n, Deliveries: []peal.Delivery{{
				TenantID: "t", ID: id, NotificationID: n.ID, IntegrationID: in.ID, Channel: in.Channel, Recipient: n.Phone,
				Payload: payload, Status: peal.Queued, CreatedAt: now, UpdatedAt: now,
			}}}
			attempts[i] = peal.Attempt{
				TenantID: "t", DeliveryID: id, IntegrationID: in.ID, Number: 1, At: now, Next: peal.Sent, Check: now.Add(time.Hour),
				Outcome: peal.Outcome{Class: peal.ClassAccepted, MessageID: id[20:], Took: time.Millisecond},
			}
		}
		for step, f := range []func() error{
			func() error { _, err := s.Accept(ctx, subs); return err },
			func() error { _, err := s.Claim(ctx, in, ids, true); return err },
			func() error { _, err := s.Record(ctx, attempts); return err },
		} {
			start := time.Now()
			if err := f(); err != nil {
				b.Fatal(err)
			}
			spent[step] += time.Since(start)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N*batch), "cpu-µs/delivery")
	for i, name := range []string{"accept", "claim", "record"} {
		b.ReportMetric(float64(spent[i].Microseconds())/float64(b.N*batch), name+"-µs/delivery")
	}
}

// cpuTime is what this process has used: on a busy machine it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
