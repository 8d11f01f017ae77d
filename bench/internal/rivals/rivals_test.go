package rivals

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"peal/bench/internal/suite"
)

func TestLaunchers(t *testing.T) {
	t.Parallel()
	ls, err := Launchers(Names(), &Tools{})
	if err != nil || len(ls) != len(Names()) || len(ls) < 8 {
		t.Fatalf("%d launchers, %v", len(ls), err)
	}
	if _, err := Launchers([]string{"celery"}, &Tools{}); err == nil || !strings.Contains(err.Error(), "bullmq-tuned-always") {
		t.Errorf("an unknown system: %v", err)
	}
	if d := Default(); slices.Contains(d, PealLarge) || d[0] != Peal {
		t.Errorf("default systems %v", d)
	}
}

func TestWriteTable(t *testing.T) {
	t.Parallel()
	result := func(sys string, rate float64) suite.Result {
		return suite.Result{System: sys, Scenario: suite.Single, Accepted: 1, AcceptedPerSec: 2 * rate, DeliveredPerSec: rate}
	}
	broken := result("asynq-tuned-always", 99_999) // its numbers must not count
	broken.Run, broken.Error = 3, "lost one"
	rep := &suite.Report{
		Options: suite.Described{Loops: []string{"single: a closed loop"}},
		Results: []suite.Result{
			result(Peal, 9000), result("asynq-tuned-always", 2500), result("asynq-tuned-always", 3500), broken,
		},
	}
	var out bytes.Buffer
	if err := WriteTable(&out, rep, []string{Peal, "asynq-tuned-always", "bullmq-tuned-none"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3000  2500-3500    3.00x", "1.00x", "FAILED asynq-tuned-always, run 3: lost one", "bullmq-tuned-none            -"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// The rows are what tells a system that only answers from one that keeps its word.
func TestVerify(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "peal.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(q string) {
		t.Helper()
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE communications_log (recipient TEXT, status TEXT, message_id TEXT, attempts INTEGER)`)
	exec(`INSERT INTO communications_log VALUES ('a', 'sent', '1', 1), ('b', 'sent', '2', 1)`)
	verify := func(want int) error { return verifySQLite(t.Context(), path, want, time.Nanosecond) }
	if err := verify(2); err != nil {
		t.Errorf("two good ones: %v", err)
	}
	for name, spoil := range map[string]string{
		"not sent":     `UPDATE communications_log SET status = 'queued' WHERE recipient = 'b'`,
		"no id":        `UPDATE communications_log SET message_id = NULL WHERE recipient = 'b'`,
		"two attempts": `UPDATE communications_log SET attempts = 2 WHERE recipient = 'b'`,
		"a row twice":  `UPDATE communications_log SET recipient = 'a' WHERE recipient = 'b'`,
	} {
		exec(spoil)
		if err := verify(2); err == nil {
			t.Errorf("%s: not noticed", name)
		}
		exec(`DELETE FROM communications_log`)
		exec(`INSERT INTO communications_log VALUES ('a', 'sent', '1', 1), ('b', 'sent', '2', 1)`)
	}
	for _, want := range []int{1, 3} {
		if err := verify(want); err == nil {
			t.Errorf("two rows for %d accepted: not noticed", want)
		}
	}
}
