package e2e_test

import (
	"database/sql"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"peal/internal/app"
	"peal/internal/config"
	"peal/internal/store"
)

// refused starts a Peal that must not start, and gives its reason.
func refused(t *testing.T, cfg config.Config) error {
	t.Helper()
	l := &logs{}
	running, err := app.Start(t.Context(), cfg, l.logger())
	if err == nil {
		t.Error("it has started")
		if err := running.Stop(stopWithin); err != nil {
			t.Error(err)
		}
		return errors.New("")
	}
	return err
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the reason is %q, it should say %q", err, word)
		}
	}
}

// TestSecondProcess: two processes never write to one data folder.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	says(t, refused(t, s.cfg), "another peal", s.cfg.Data, "--data")
	if a := s.do(t, "GET", "/readyz", "", ""); a.status != 200 {
		t.Errorf("the first is not ready any more: %d", a.status)
	}
	s.stop(t)
	s.start(t) // the lock goes with the process
}

// TestPortTaken: a port that is taken is told before anything is touched.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := newConfig(t)
	cfg.Listen, cfg.Data = s.running.Addr(), filepath.Join(cfg.Data, "new")
	says(t, refused(t, cfg), cfg.Listen, "address already in use", "--listen")
	if _, err := os.Stat(cfg.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder was made: %v", err)
	}
}

// TestNewerSchema: an older binary leaves a newer database alone.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	needsSQLite(t)
	s := newServer(t)
	s.stop(t)
	change := func(statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(s.cfg.Data, "peal.db"))
		if err == nil {
			_, err = db.ExecContext(t.Context(), statement)
		}
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	change(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	err := refused(t, s.cfg)
	says(t, err, "newer schema", "9999")
	if !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("%v is not ErrNewerSchema", err)
	}
	change(`DELETE FROM goose_db_version WHERE version_id = 9999`)
	s.start(t)
}

// TestMasterKeys: without the key that sealed the credentials Peal does not start, rather than start and lose them.
func TestMasterKeys(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, id := w.sendText(t, "before")
	w.reaches(t, id, "read")
	w.stop(t)
	right := w.cfg.MasterKey
	for name, tt := range map[string]struct{ key, word string }{
		"another": {base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))), "not the one"},
		"none":    {"", "PEAL_MASTER_KEY"},
		"short":   {"c2hvcnQ=", "PEAL_MASTER_KEY"},
		"no key":  {"what is this", "PEAL_MASTER_KEY"},
	} {
		w.cfg.MasterKey = config.Secret(tt.key)
		err := refused(t, w.cfg)
		says(t, err, tt.word)
		if tt.key != "" && strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s: the reason shows the key: %v", name, err)
		}
	}
	w.cfg.MasterKey = right
	w.restart(t)
	_, id = w.sendText(t, "after")
	w.reaches(t, id, "read")
}

// TestNoFolder: a data folder that cannot be is told as that.
func TestNoFolder(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	file := filepath.Join(cfg.Data, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		cfg.Data = dir
		says(t, refused(t, cfg), "data folder", file)
	}
}
