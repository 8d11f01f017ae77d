package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
)

// TestQueueSurvivesRestart: what waits for a paused integration waits on after a restart, pause included, and then goes
// out once.
func TestQueueSurvivesRestart(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.pause(t)
	ids := w.sendMany(t, 50)
	w.restart(t)
	w.paused(t, "manual")
	throughout(t, "after the restart", 300*time.Millisecond, func() error { return want("calls", w.emu.Counts().Arrived, 0) })
	for to, id := range w.sendMany(t, 50) {
		ids[to] = id
	}
	w.resume(t)
	w.allOnce(t, ids)
	if n := w.emu.Counts().Accepted; n != 100 {
		t.Errorf("the provider took %d", n)
	}
}

// TestBrokerLost: the whole broker folder of a stopped Peal is deleted with ten thousand queued; after the start every
// one of them goes out, and exactly once.
func TestBrokerLost(t *testing.T) {
	t.Parallel()
	batches := 10
	if underRace || cluster != nil {
		batches = 2
	}
	w := silent(t)
	w.pause(t)
	total := int64(0)
	for b := range batches {
		reqs := make([]api.NotificationRequest, 1000)
		for i := range reqs {
			reqs[i] = text("+919812345678", fmt.Sprintf("%d/%d", b, i))
		}
		res, err := w.peal.SendBatch(t.Context(), reqs)
		if err != nil || res.Accepted != len(reqs) {
			t.Fatalf("%+v, %v", res, err)
		}
		total += int64(res.Accepted)
	}
	w.restart(t, func() { w.loseBroker(t) })
	w.resume(t)
	eventually(t, "all are taken", func() error { return want("taken", w.emu.Counts().Accepted, total) })
	eventually(t, "all are recorded", func() error {
		return want("sent", w.metric(t, "peal_deliveries_total", `status="sent"`), float64(total))
	})
	w.restart(t) // and the ledger walks once more
	_, probe := w.sendText(t, "the last")
	w.reaches(t, probe, "sent")
	for s, n := range w.emu.TextCounts() {
		if n != 1 {
			t.Errorf("%s was taken %d times", s, n)
		}
	}
	if n := w.emu.Counts().Arrived; n != total+1 {
		t.Errorf("the provider was called %d times, want %d", n, total+1)
	}
	if n := w.metric(t, "peal_ledger_mended_total"); n != 0 {
		t.Errorf("the ledger had to mend %v after a clean restart", n)
	}
}

// TestRestartUnderLoad: callers who repeat what was not answered, with the same key, get everything out once through
// restarts in the middle of it; nothing is in doubt after a clean stop.
func TestRestartUnderLoad(t *testing.T) {
	t.Parallel()
	w := silent(t)
	// Answers are slow, so that each stop finds calls in flight.
	w.fault(t, wasender.Fault{Kind: wasender.FaultDelay, Delay: 30 * time.Millisecond, TakeFirst: true, Every: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		callers  sync.WaitGroup
		accepted atomic.Int64
		ids      sync.Map
	)
	for c := range 8 {
		callers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				req := text("+919812345678", fmt.Sprintf("%d/%d", c, i))
				req.IdempotencyKey = fmt.Sprintf("caller-%d-%d", c, i)
				sent, err := sendUntilAnswered(w.peal, req)
				if err != nil {
					t.Error(err)
					return
				}
				ids.Store(*req.Content.Text, sent.Deliveries[0].ID)
				accepted.Add(1)
			}
		})
	}
	for range 3 {
		before := accepted.Load()
		eventually(t, "callers get on", func() error { return want("more", accepted.Load() > before+50, true) })
		w.restart(t)
	}
	cancel()
	callers.Wait()
	ids.Range(func(s, id any) bool {
		if d := w.reaches(t, id.(string), "sent", "uncertain", "failed"); d.Status != "sent" || d.Attempts != 1 {
			t.Errorf("%s: %s after %d attempts, %s %s", s, d.Status, d.Attempts, d.ErrorCode, d.ErrorReason)
		}
		return true
	})
	for s, n := range w.emu.TextCounts() {
		if n != 1 {
			t.Errorf("%s was taken %d times", s, n)
		}
	}
	if n := w.emu.Counts().Accepted; n != accepted.Load() {
		t.Errorf("the provider took %d, %d were accepted", n, accepted.Load())
	}
	if page, err := w.peal.DeliveryPage(t.Context(), client.DeliveryQuery{Status: "uncertain"}); err != nil || len(page.Deliveries) != 0 {
		t.Errorf("in doubt after clean stops: %+v, %v", page, err)
	}
}

// sendUntilAnswered repeats a request, with its key, until the server is back and answers.
func sendUntilAnswered(c *client.Client, req api.NotificationRequest) (*client.Sent, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		sent, err := c.Send(ctx, req)
		if err == nil || ctx.Err() != nil {
			return sent, err
		}
		if p, ok := errors.AsType[*api.Problem](err); ok && p.Status != http.StatusServiceUnavailable {
			return nil, err
		}
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// TestStopWaitsForCalls: a stop in the middle of a call waits for its answer and records it.
func TestStopWaitsForCalls(t *testing.T) {
	t.Parallel()
	w := silent(t)
	hold := w.fault(t, wasender.Fault{Kind: wasender.FaultHold, TakeFirst: true})
	to, id := w.sendText(t, "in flight")
	eventually(t, "the call is made", func() error { return want("calls", w.emu.Counts().Arrived, 1) })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.stop(t)
	}()
	w.refusesConnections(t)
	select {
	case <-stopped:
		t.Fatal("it stopped while a call was in flight")
	default:
	}
	if err := w.emu.RemoveFault(hold); err != nil {
		t.Fatal(err)
	}
	<-stopped
	w.start(t)
	if d := w.delivery(t, id); d.Status != "sent" || w.emu.CountByRecipient(to) != 1 {
		t.Errorf("%s, taken %d times", d.Status, w.emu.CountByRecipient(to))
	}
}

// TestStopAnswersRequests: a request that is on its way in when the stop comes is answered, and means what it says.
func TestStopAnswersRequests(t *testing.T) {
	t.Parallel()
	w := silent(t)
	to := phone()
	said := body(to, "slow")
	conn, err := net.Dial("tcp", w.running.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is the server's to close
	write := func(s string) {
		t.Helper()
		if _, err := io.WriteString(conn, s); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: peal.test\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		post, w.key, len(said)))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil { // the handler reads the body now
		t.Fatal(err)
	}
	write(said[:20])
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.stop(t)
	}()
	w.refusesConnections(t)
	write(said[20:])
	res, err := http.ReadResponse(answers, nil)
	if err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	<-stopped
	w.start(t)
	eventually(t, "it goes out", func() error { return want("taken", w.emu.CountByRecipient(to), 1) })
}

// refusesConnections waits until a Peal that stops has closed its door.
func (s *server) refusesConnections(t *testing.T) {
	t.Helper()
	eventually(t, "it no longer listens", func() error {
		_, err := s.try(context.Background(), "GET", "/healthz", "", "")
		return want("refused", err != nil, true)
	})
}
