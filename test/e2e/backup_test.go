package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
	"peal/internal/app"
	"peal/internal/backup"
	"peal/internal/config"
	"peal/internal/pipeline"
	"peal/internal/stream"
	"peal/internal/vault"
)

// restored makes a new world of a backup of this one: another folder, the same keys, the same provider.
func (w *world) restored(t *testing.T, from []byte, cfg app.RestoreConfig) (*world, app.Restored) {
	t.Helper()
	cfg.From, cfg.Data = bytes.NewReader(from), t.TempDir()
	r, err := app.Restore(t.Context(), cfg)
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	other := *w
	other.server = newServer(t, func(c *config.Config) { c.Data, c.MasterKey = cfg.Data, w.cfg.MasterKey })
	other.peal = other.as(t, w.key)
	in, err := other.peal.Integration(t.Context(), w.integration.ID)
	if err != nil {
		t.Fatalf("read integration after the restore: %v", err)
	}
	other.integration = in
	other.webhooksTo(t, in.WebhookURL)
	return &other, r
}

// TestBackupUnderLoad: while notifications come and go a backup is taken. Restored into another folder it has every one
// that was accepted before it began, and every receipt that was answered; nothing is sent twice.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	onlySmall(t, "backups of its own")
	w := setup(t)
	sent := w.sendMany(t, 200)
	eventually(t, "all are with the provider", func() error { return want("taken", w.emu.Counts().Accepted, int64(len(sent))) })
	w.idle(t) // all webhooks are answered, and some perhaps not folded in yet

	var mu sync.Mutex
	accepted := map[string]string{} // number: delivery
	stop := make(chan struct{})
	var load sync.WaitGroup
	enough := make(chan struct{})
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				to := phone()
				res, err := w.peal.Send(context.WithoutCancel(t.Context()), text(to, "load"))
				if err != nil {
					t.Errorf("while the backup was made: %v", err)
					return
				}
				mu.Lock()
				if accepted[to] = res.Deliveries[0].ID; len(accepted) == 100 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	mu.Lock()
	before := map[string]string{}
	for to, id := range accepted {
		before[to] = id
	}
	mu.Unlock()
	var file bytes.Buffer
	if err := w.operator(t).Backup(t.Context(), &file); err != nil {
		t.Fatalf("backup: %v", err)
	}
	close(stop)
	load.Wait()
	w.stop(t)
	w.idle(t)
	taken := w.emu.Counts().Accepted

	again, r := w.restored(t, file.Bytes(), app.RestoreConfig{})
	t.Logf("%+v", r)
	for to, id := range sent {
		if d := again.reaches(t, id, "read"); d.Recipient != to {
			t.Errorf("%s is to %s, not %s", id, d.Recipient, to)
		}
	}
	for to, id := range before {
		if d := again.reaches(t, id, "uncertain", "sent", "delivered", "read"); d.Recipient != to {
			t.Errorf("%s is to %s, not %s", id, d.Recipient, to)
		}
	}
	if left, err := os.ReadDir(filepath.Join(w.cfg.Data, "backing-up")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the backup has left %v, %v", left, err)
	}
	_, id := again.sendText(t, "after the restore")
	again.reaches(t, id, "read")
	if n := w.emu.Counts().Accepted; n != taken+1 {
		t.Errorf("the provider took %d after the restore, want the one new", n-taken)
	}
}

// TestBackupKeepsWebhooks: a webhook that was answered, and stands in the broker only, is in the backup of a stopped
// server's folder, and is folded in where it is restored. What was queued goes out from there if the folder was given up.
func TestBackupKeepsWebhooks(t *testing.T) {
	t.Parallel()
	onlySmall(t, "backups of its own")
	w := silent(t)
	to, id := w.sendText(t, "one")
	d := w.reaches(t, id, "sent")
	w.pause(t)
	_, waits := w.sendText(t, "two")
	w.stop(t)
	broker, err := stream.Open(t.Context(), stream.Config{Dir: filepath.Join(w.cfg.Data, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	key, err := config.ParseMasterKey(w.cfg.MasterKey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.New(key[:])
	if err != nil {
		t.Fatal(err)
	}
	said := update(w.emu.Messages(queryTo(to))[0].KeyID, wasender.StatusRead)
	raw, err := json.Marshal(pipeline.Callback{IntegrationID: w.integration.ID, ReceivedAt: time.Now(), Body: []byte(said)})
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Keep(t.Context(), w.integration.ID, v.Seal(raw, "callback:"+w.integration.ID)); err != nil {
		t.Fatal(err)
	}
	broker.Close()

	var file bytes.Buffer
	kept := false
	keep := func() error { kept = true; return nil }
	if err := app.BackupFolder(t.Context(), w.cfg.Data, true, &file, keep, slog.New(slog.DiscardHandler)); err != nil || !kept {
		t.Fatalf("backup of the folder: %v", err)
	}
	if _, err := app.Start(t.Context(), w.cfg, w.logs.logger()); err == nil || !strings.Contains(err.Error(), "was moved") {
		t.Errorf("the folder that was given up: %v", err)
	}
	again, r := w.restored(t, file.Bytes(), app.RestoreConfig{})
	if !r.Moved || r.Webhooks != 1 || r.Queued != 1 || r.Doubted != 0 {
		t.Errorf("%+v", r)
	}
	again.resume(t)
	if got := again.reaches(t, id, "read"); got.MessageID != d.MessageID {
		t.Errorf("%+v", got)
	}
	again.reaches(t, waits, "sent")
}

// TestBackupRefused: what is no whole backup is not restored, nor is anything over a Peal that is there.
func TestBackupRefused(t *testing.T) {
	t.Parallel()
	onlySmall(t, "backups of its own")
	w := silent(t)
	var file bytes.Buffer
	if err := w.operator(t).Backup(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for _, c := range []struct {
		what string
		file []byte
		want error
	}{
		{"cut off", whole[:len(whole)-1], backup.ErrCutOff},
		{"of the first half", whole[:len(whole)/2], backup.ErrCutOff},
		{"with a bit turned", flipped, backup.ErrDamaged},
		{"of nothing", nil, backup.ErrNoBackup},
	} {
		dir := t.TempDir()
		if _, err := app.Restore(t.Context(), app.RestoreConfig{From: bytes.NewReader(c.file), Data: dir}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "peal*")); err != nil || len(left) > 0 {
			t.Errorf("%s: it has left %v (%v)", c.what, left, err)
		}
	}
	if _, err := app.Restore(t.Context(), app.RestoreConfig{From: &file, Data: w.cfg.Data}); err == nil || !strings.Contains(err.Error(), "holds a Peal already") {
		t.Errorf("into a folder that is not empty: %v", err)
	}
}

// TestBackupGivenUp: a backup that nobody takes does not keep the process from stopping, nor the next backup from
// being made.
func TestBackupGivenUp(t *testing.T) {
	t.Parallel()
	onlySmall(t, "backups of its own")
	w := silent(t)
	w.pause(t)
	long := strings.Repeat("x", 4000)
	for range 3 { // more than the buffers between the two take
		w.sendMany(t, 1000, func(r *api.NotificationRequest) { r.Content.Text = &long })
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+operatorKey)
	slow := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.addr.Load().(string))
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(128 << 10)
		}
		return conn, err
	}}
	defer slow.CloseIdleConnections()
	res, err := slow.RoundTrip(req) // and nobody reads the body
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", res, err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	if p := problemOf(w.operator(t).Backup(t.Context(), &bytes.Buffer{})); p == nil || p.Code != api.CodeConflict {
		t.Errorf("a second one beside it: %+v", p)
	}
	w.stop(t)
	if _, err := backup.Read(res.Body, &bytes.Buffer{}); err == nil {
		t.Error("it is whole, though the process has stopped")
	}
	w.start(t)
	eventually(t, "there is room for the next", func() error { return w.operator(t).Backup(t.Context(), &bytes.Buffer{}) })
}
