package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// bundle is a fresh store with a clock, and what cases need to say things shortly.
type bundle struct {
	*testing.T
	Store

	clock    *clock
	phone    atomic.Int64
	tampered bool
}

func newBundle(t *testing.T, open Open) *bundle {
	t.Helper()
	c := &clock{at: time.Now().UTC().Truncate(time.Second)} // ids are made by the system's clock, and the two go together
	b := &bundle{T: t, Store: open(t, c.now), clock: c}
	t.Cleanup(func() {
		if !b.tampered {
			b.clean()
		}
	})
	return b
}

func (b *bundle) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// refused fails the test unless the error is of this kind.
func (b *bundle) refused(err error, kind peal.Kind) {
	b.Helper()
	if err == nil || peal.KindOf(err) != kind {
		b.Errorf("the error is %v; want one of kind %s", err, kind)
	}
}

// same compares; empty and nil are the same, times are compared as instants.
func (b *bundle) same(what string, got, want any) {
	b.Helper()
	if diff := differ(got, want); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func differ(got, want any) string {
	large := cmp.FilterValues(func(a, b []byte) bool { return len(a) > 0 && len(b) > 0 }, cmp.Comparer(bytes.Equal)) // byte by byte takes minutes
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), large)
}

// integration gives an integration of the tenant as the stages know it. The log needs no row of it.
func (b *bundle) integration(tenantID string) *peal.Integration {
	return &peal.Integration{TenantID: tenantID, ID: peal.NewID(), Channel: peal.ChannelWhatsApp, MaxAttempts: 5}
}

// submission is a notification with one queued delivery.
func (b *bundle) submission(in *peal.Integration, change ...func(*pipeline.Submission)) pipeline.Submission {
	b.Helper()
	now := b.clock.now()
	phone := fmt.Sprintf("+9198%08d", b.phone.Add(1))
	n := peal.Notification{TenantID: in.TenantID, ID: peal.NewID(), Phone: phone, CreatedAt: now}
	sub := pipeline.Submission{Notification: n, Deliveries: []peal.Delivery{{
		TenantID: in.TenantID, NotificationID: n.ID, IntegrationID: in.ID, Channel: in.Channel, Recipient: phone,
		Payload: json.RawMessage(`{"text":"hello"}`), Status: peal.Queued, CreatedAt: now, UpdatedAt: now,
	}}}
	for _, f := range change {
		f(&sub)
	}
	for i := range sub.Deliveries {
		d := &sub.Deliveries[i]
		id, err := peal.DeliveryID(n.ID, d.IntegrationID, d.Recipient)
		b.ok(err)
		d.ID = id
	}
	sub.Answer = []byte(`{"id":"` + n.ID + `"}`)
	return sub
}

// keyed gives a submission an idempotency key, and a body.
func keyed(key, body string) func(*pipeline.Submission) {
	return func(s *pipeline.Submission) { s.Key, s.BodyHash = key, sha256.Sum256([]byte(body)) }
}

// first changes the submission's delivery.
func first(change func(*peal.Delivery)) func(*pipeline.Submission) {
	return func(s *pipeline.Submission) { change(&s.Deliveries[0]) }
}

func due(at time.Time) func(*pipeline.Submission) {
	return first(func(d *peal.Delivery) { d.DueAt = at })
}

func expires(at time.Time) func(*pipeline.Submission) {
	return func(s *pipeline.Submission) {
		s.Notification.ExpiresAt = at
		s.Deliveries[0].ExpiresAt = at
	}
}

// accept writes one and gives its delivery.
func (b *bundle) accept(in *peal.Integration, change ...func(*pipeline.Submission)) peal.Delivery {
	b.Helper()
	sub := b.submission(in, change...)
	b.acceptAll(sub)
	return sub.Deliveries[0]
}

func (b *bundle) acceptAll(subs ...pipeline.Submission) []pipeline.Verdict {
	b.Helper()
	v, err := b.Accept(b.Context(), subs)
	b.ok(err)
	if len(v) != len(subs) {
		b.Fatalf("%d submissions got %d verdicts", len(subs), len(v))
	}
	return v
}

// acceptMany writes n and gives their ids.
func (b *bundle) acceptMany(in *peal.Integration, n int, change ...func(*pipeline.Submission)) []string {
	b.Helper()
	subs, ids := make([]pipeline.Submission, n), make([]string, n)
	for i := range subs {
		subs[i] = b.submission(in, change...)
		ids[i] = subs[i].Deliveries[0].ID
	}
	b.acceptAll(subs...)
	return ids
}

// claim claims deliveries that are to be ready.
func (b *bundle) claim(in *peal.Integration, ids ...string) []peal.Delivery {
	b.Helper()
	c, err := b.Claim(b.Context(), in, ids, true)
	b.ok(err)
	if len(c.Ready) != len(ids) {
		b.Fatalf("%d of %d deliveries were ready; the rest: %+v", len(c.Ready), len(ids), c.Rest)
	}
	return c.Ready
}

// attempt is the outcome of a delivery's first attempt, now.
func (b *bundle) attempt(in *peal.Integration, id string, class peal.Class, next peal.Status, change ...func(*peal.Attempt)) peal.Attempt {
	a := peal.Attempt{
		TenantID: in.TenantID, DeliveryID: id, IntegrationID: in.ID, Number: 1, At: b.clock.now(), Next: next,
		Outcome: peal.Outcome{Class: class, Took: 20 * time.Millisecond},
	}
	switch class {
	case peal.ClassAccepted:
		a.Outcome.MessageID = "m-" + id
	default:
		a.Outcome.Code, a.Outcome.Reason = string(class)+"_code", "the provider's words"
	}
	for _, f := range change {
		f(&a)
	}
	return a
}

// record writes attempts, and gives what receipts that had come before moved.
func (b *bundle) record(attempts ...peal.Attempt) []peal.Moved {
	b.Helper()
	moved, err := b.Record(b.Context(), attempts)
	b.ok(err)
	return moved
}

// sent takes a delivery to the state sent; its message id is "m-" and its id.
func (b *bundle) sent(in *peal.Integration, change ...func(*pipeline.Submission)) peal.Delivery {
	b.Helper()
	d := b.accept(in, change...)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent))
	return b.delivery(d.TenantID, d.ID)
}

// dead makes dead letters with this code.
func (b *bundle) dead(in *peal.Integration, n int, code string, change ...func(*pipeline.Submission)) []string {
	b.Helper()
	ids := b.acceptMany(in, n, change...)
	b.claim(in, ids...)
	attempts := make([]peal.Attempt, n)
	for i, id := range ids {
		attempts[i] = b.attempt(in, id, peal.ClassTemporary, peal.Failed, func(a *peal.Attempt) { a.Dead, a.Outcome.Code = true, code })
	}
	b.record(attempts...)
	return ids
}

// delivery reads a row.
func (b *bundle) delivery(tenantID, id string) peal.Delivery {
	b.Helper()
	d, _, err := b.Delivery(b.Context(), tenantID, id)
	b.ok(err)
	return *d
}

// status fails the test unless the row has this status.
func (b *bundle) status(d peal.Delivery, want peal.Status) peal.Delivery {
	b.Helper()
	got := b.delivery(d.TenantID, d.ID)
	if got.Status != want {
		b.Errorf("delivery %s is %s, want %s", d.ID, got.Status, want)
	}
	return got
}

// timeline is a delivery's events as "type status", in order.
func (b *bundle) timeline(d peal.Delivery) []string {
	b.Helper()
	_, events, err := b.Delivery(b.Context(), d.TenantID, d.ID)
	b.ok(err)
	var all []string
	for _, e := range events {
		all = append(all, string(e.Type)+" "+string(e.Status))
	}
	return all
}

// fold brings evidence in.
func (b *bundle) fold(evidence ...peal.Evidence) peal.Folded {
	b.Helper()
	f, err := b.Fold(b.Context(), evidence)
	b.ok(err)
	return f
}

func (b *bundle) parked(in *peal.Integration) int {
	b.Helper()
	n, err := b.Parked(b.Context(), in.ID)
	b.ok(err)
	return n
}

func ids(ds []peal.Delivery) []string {
	var all []string
	for i := range ds {
		all = append(all, ds[i].ID)
	}
	return all
}
