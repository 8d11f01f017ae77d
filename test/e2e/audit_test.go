package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the records, read and changed behind Peal's back

	"peal/api"
	"peal/emulator/wasender"
)

// clean audits a server at its end: whatever the test did, nothing was lost.
func (s *server) clean(t *testing.T) {
	t.Helper()
	if s.running == nil || s.tampered {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := s.operator(t).Audit(ctx, api.AuditRequest{})
	if err != nil {
		t.Errorf("audit at the end: %v", err)
		return
	}
	if r.DifferenceCount > 0 {
		t.Errorf("the audit finds at the end: %+v", r.Differences[:min(len(r.Differences), 5)])
	}
}

func (s *server) audit(t *testing.T, req api.AuditRequest) *api.AuditReport {
	t.Helper()
	r, err := s.operator(t).Audit(t.Context(), req)
	if err != nil {
		t.Fatalf("audit: %v", err)
	}
	return r
}

// tamper does to the records what Peal never would.
func (s *server) tamper(t *testing.T, query string, args ...any) {
	t.Helper()
	s.tampered = true
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.cfg.Data, "peal.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what it did is what counts
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// load sends batches until stop is called, which gives how many were accepted.
func (w *world) load(t *testing.T) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	accepted := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			var reqs []api.NotificationRequest
			for range 50 {
				reqs = append(reqs, text(phone(), "x"))
			}
			res, err := w.peal.SendBatch(context.WithoutCancel(ctx), reqs)
			if err != nil {
				t.Errorf("send: %v", err)
				return
			}
			accepted += res.Accepted
		}
	})
	return func() int {
		cancel()
		wg.Wait()
		return accepted
	}
}

// TestAuditUnderLoad: while all moves nothing is taken for a difference, and afterwards the sums are right.
func TestAuditUnderLoad(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503, Probability: 0.1, Seed: 1})
	stop := w.load(t)
	for range 10 {
		if r := w.audit(t, api.AuditRequest{}); r.DifferenceCount > 0 {
			t.Errorf("under load it finds %+v", r.Differences)
		}
	}
	accepted := int64(stop())
	eventually(t, "all have ended", func() error {
		r := w.audit(t, api.AuditRequest{Tenant: w.tenant})
		of := r.Tenants[0]
		if of.Deliveries != accepted || of.Notifications != accepted || of.InFlight+of.Ended != accepted || r.DifferenceCount > 0 {
			t.Fatalf("%d were accepted; the audit says %+v", accepted, r)
		}
		return want("in flight", of.InFlight, 0)
	})
	if n := w.metric(t, "peal_audit_differences"); n != 0 {
		t.Errorf("the metric says %v differences", n)
	}
	if n := w.metric(t, "peal_ledger_mended_total"); n != 0 {
		t.Errorf("%v jobs were put back, and none was lost", n)
	}
}

// TestABrokerThatIsWiped: with a thousand queued its folder is deleted. Nothing is lost, nothing is sent twice.
func TestABrokerThatIsWiped(t *testing.T) {
	t.Parallel()
	w := silent(t)
	if _, err := w.peal.PauseIntegration(t.Context(), w.integration.ID); err != nil {
		t.Fatal(err)
	}
	w.paused(t, "manual")
	const total = 1000
	var reqs []api.NotificationRequest
	for range total {
		reqs = append(reqs, text(phone(), "x"))
	}
	if res, err := w.peal.SendBatch(t.Context(), reqs); err != nil || res.Accepted != total {
		t.Fatalf("%+v, %v", res, err)
	}
	w.restart(t, func() { w.loseBroker(t) })
	if _, err := w.peal.ResumeIntegration(t.Context(), w.integration.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are sent", func() error {
		return want("in flight", w.audit(t, api.AuditRequest{}).Tenants[0].InFlight, 0)
	})
	if n := w.emu.Counts().Accepted; n != total {
		t.Errorf("the provider took %d, want %d", n, total)
	}
	r := w.audit(t, api.AuditRequest{})
	if r.DifferenceCount > 0 || r.Tenants[0].ByStatus["sent"] != total {
		t.Errorf("the audit says %+v", r)
	}
	if n := w.metric(t, "peal_ledger_mended_total"); n != total {
		t.Errorf("%v were put back, want %d", n, total)
	}
}

// TestARowThatIsGone: somebody deletes from the database; the audit names what.
func TestARowThatIsGone(t *testing.T) {
	t.Parallel()
	onlySmall(t, "a file to write into; the store tests it for both")
	w := silent(t)
	notification, lost := w.send(t, text(phone(), "x"))
	_, whole := w.sendText(t, "y")
	w.reaches(t, lost, "sent")
	w.reaches(t, whole, "sent")
	w.tamper(t, `DELETE FROM communications_log WHERE delivery_id = ?`, lost)
	since := time.Now().Add(-time.Hour)
	r := w.audit(t, api.AuditRequest{Tenant: w.tenant, Since: &since})
	var found []string
	for _, d := range r.Differences {
		found = append(found, d.Kind+" "+d.ID)
		if d.Tenant != w.tenant || d.Detail == "" {
			t.Errorf("difference %+v", d)
		}
	}
	for _, want := range []string{"plan " + notification, "vanished " + lost} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is not named; it finds %v", want, found)
		}
	}
	if r.DifferenceCount != 3 || strings.Contains(fmt.Sprint(found), whole) {
		t.Errorf("it finds %d: %v", r.DifferenceCount, found)
	}
	if n := w.metric(t, "peal_audit_differences"); n != 3 {
		t.Errorf("the metric says %v differences", n)
	}
	if !strings.Contains(w.logs.text(), "the records do not agree") || !strings.Contains(w.logs.text(), notification) {
		t.Error("the log does not name it")
	}
}

func TestWhoMayAudit(t *testing.T) {
	t.Parallel()
	w := silent(t)
	_, err := w.peal.Audit(t.Context(), api.AuditRequest{})
	if p := problemOf(err); p == nil || p.Code != api.CodeForbidden {
		t.Errorf("a tenant's admin: %+v", p)
	}
	for name, req := range map[string]api.AuditRequest{
		api.CodeNotFound: {Tenant: "nobody"}, api.CodeInvalidRequest: {Cursor: "?"},
	} {
		if _, err := w.operator(t).Audit(t.Context(), req); problemOf(err) == nil || problemOf(err).Code != name {
			t.Errorf("%+v: %v", req, err)
		}
	}
}
