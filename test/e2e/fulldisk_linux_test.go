package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"peal/emulator/wasender"
	"peal/internal/config"
)

// smallDisk puts a small disk in memory onto a folder, for the time of the test.
func smallDisk(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("SKIPPED: a full disk was not tried, for that takes the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill writes to the disk of a folder until it takes nothing more, and gives what makes room again.
func fill(t *testing.T, dir string) (makeRoom func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				if !errors.Is(err, syscall.ENOSPC) {
					t.Fatal(err)
				}
				break
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

func (w *world) readiness(t *testing.T) (r readiness, status int) {
	t.Helper()
	a := w.do(t, "GET", "/readyz", "", "")
	a.decode(t, &r)
	return r, a.status
}

// receipt posts a webhook that says that the message with this key was read.
func (w *world) receipt(t *testing.T, key string) answer {
	t.Helper()
	return w.do(t, "POST", w.hook(), "", update(key, wasender.StatusRead), "X-Webhook-Signature", wasender.DefaultWebhookSecret)
}

// onSmallDisks is a world whose records and whose broker have a small disk each.
func onSmallDisks(t *testing.T) (w *world, records, broker string) {
	t.Helper()
	var data string
	w = setupWith(t, wasender.Options{Script: &wasender.Script{}}, func(c *config.Config) {
		c.LedgerEvery = 50 * time.Millisecond
		data = c.Data
		smallDisk(t, data, "24m")
		smallDisk(t, filepath.Join(data, "broker"), "24m")
	})
	return w, data, filepath.Join(data, "broker")
}

// TestTheBrokersDiskIsFull: notifications and webhooks are taken all the same, and the body of /readyz names what is
// degraded. When there is room and Peal starts again, everything goes out once, and receipts are folded in.
func TestTheBrokersDiskIsFull(t *testing.T) {
	t.Parallel()
	w, _, broker := onSmallDisks(t)
	_, sent := w.sendText(t, "before")
	key := w.keyed(t, sent)
	makeRoom := fill(t, broker)
	to := map[string]string{}
	post := func() {
		t.Helper()
		start := time.Now()
		p, id := w.sendText(t, "without the broker")
		to[p] = id
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	}
	eventually(t, "it is said", func() error {
		post()
		if a := w.receipt(t, "unknown"); a.status != http.StatusOK {
			t.Errorf("a webhook is answered %d %s", a.status, a.body)
		}
		r, status := w.readiness(t)
		if status != http.StatusOK || r.Status != "ready" {
			t.Errorf("/readyz: %d %+v", status, r)
		}
		return want("degraded", slices.Contains(r.Degraded, "broker"), true)
	})
	for range 20 {
		post()
	}
	if a := w.receipt(t, key); a.status != http.StatusOK {
		t.Errorf("a webhook is answered %d %s", a.status, a.body)
	}
	w.reaches(t, sent, "read") // from the records
	if n := w.metric(t, "peal_callbacks_held_total"); n == 0 {
		t.Error("no webhook was held")
	}
	w.restart(t, makeRoom)
	w.allOnce(t, to)
	if r, status := w.readiness(t); status != http.StatusOK || len(r.Degraded) > 0 {
		t.Errorf("/readyz: %d %+v", status, r)
	}
}

// TestTheRecordsDiskIsFull: notifications are refused, and told when to come again; webhooks are taken, until the broker's
// disk is full, too. With room again it goes on by itself, and nothing that was accepted is lost.
func TestTheRecordsDiskIsFull(t *testing.T) {
	t.Parallel()
	needsSQLite(t)
	w, records, broker := onSmallDisks(t)
	_, sent := w.sendText(t, "before")
	key := w.keyed(t, sent)
	makeRoom := fill(t, records)
	accepted := map[string]int{}
	eventually(t, "it is refused", func() error {
		to := phone()
		a := w.do(t, "POST", post, w.key, body(to, strings.Repeat("large ", 600)))
		if a.status == http.StatusAccepted {
			accepted[to] = 1
			return errors.New("there was room")
		}
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
		}
		a.problem(t)
		return nil
	})
	eventually(t, "it is not ready", func() error {
		r, status := w.readiness(t)
		return want("readyz", fmt.Sprintln(status, r.Status, r.Failing), "503 not ready [database]\n")
	})
	if a := w.receipt(t, key); a.status != http.StatusOK {
		t.Errorf("a webhook is answered %d %s", a.status, a.body)
	}
	roomToo := fill(t, broker)
	eventually(t, "webhooks are refused", func() error {
		a := w.receipt(t, key)
		if a.status != http.StatusOK && (a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "") {
			t.Errorf("%d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
		}
		return want("status", a.status, http.StatusServiceUnavailable)
	})
	makeRoom()
	w.reaches(t, sent, "read") // what the broker had kept is folded in
	to := phone()
	eventually(t, "it is accepted again", func() error {
		return want("status", w.do(t, "POST", post, w.key, body(to, "after"), "Idempotency-Key", "after").status, 202)
	})
	accepted[to] = 1
	w.restart(t, roomToo)
	for to := range accepted {
		eventually(t, "what was accepted goes out", func() error { return want("taken", w.emu.CountByRecipient(to), 1) })
	}
}
