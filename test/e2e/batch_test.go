package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"peal/api"
)

// TestBatch: good and bad items in one request; each has its own answer in its place, and the good ones go out.
func TestBatch(t *testing.T) {
	t.Parallel()
	w := setup(t)
	good := []string{phone(), phone(), phone()}
	items := []string{
		body(good[0], "one"),
		body("12345", "bad phone"),
		body(good[1], "two"),
		strings.Replace(body(phone(), "unknown field"), "{", `{"color":"red",`, 1),
		`"no object"`,
		body(phone(), ""),
		body(good[2], "three"),
	}
	a := w.do(t, http.MethodPost, post+"/batch", w.key, `{"notifications":[`+strings.Join(items, ",")+`]}`)
	var res api.BatchResponse
	a.decode(t, &res)
	if a.status != http.StatusAccepted || res.Accepted != 3 || res.Refused != 4 || len(res.Results) != len(items) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for i, path := range []string{"", "recipient.phone", "", "color", "body", "content.text", ""} {
		r := res.Results[i]
		if path != "" {
			if r.Status != 422 || r.Notification != nil || r.Error == nil || r.Error.Code != api.CodeInvalidRequest || r.Error.Errors[0].Path != path {
				t.Errorf("item %d: %+v %+v, want a problem of %q", i, r, r.Error, path)
			}
			continue
		}
		if r.Status != 202 || r.Error != nil {
			t.Errorf("item %d: %+v", i, r)
			continue
		}
		d := w.reaches(t, r.Notification.Deliveries[0].ID, "read")
		if d.Recipient != good[i/2-i/6] { // items 0, 2 and 6
			t.Errorf("item %d went to another", i)
		}
	}
	if n := w.emu.Counts().Accepted; n != 3 {
		t.Errorf("the provider took %d", n)
	}
}

// TestBatchSizes: 1 to 1,000 items, no more and no fewer.
func TestBatchSizes(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for _, n := range []int{0, 1001} {
		items := make([]string, n)
		for i := range items {
			items[i] = body("+919812345678", "x")
		}
		a := w.do(t, http.MethodPost, post+"/batch", w.key, `{"notifications":[`+strings.Join(items, ",")+`]}`)
		if p := a.problem(t); a.status != 422 || len(p.Errors) != 1 || p.Errors[0].Path != "notifications" || p.Errors[0].Code != "out_of_range" {
			t.Errorf("%d items: %d %s", n, a.status, a.body)
		}
	}
	if a := w.do(t, http.MethodPost, post+"/batch", w.key, `{"notifications":[`+body(phone(), "x")+`]}`, "Idempotency-Key", "k"); a.status != 422 {
		t.Errorf("a batch with the header Idempotency-Key: %d %s", a.status, a.body)
	}
	reqs := make([]api.NotificationRequest, 1000)
	for i := range reqs {
		reqs[i] = text(phone(), fmt.Sprintf("item %04d", i))
	}
	res, err := w.peal.SendBatch(t.Context(), reqs)
	if err != nil || res.Accepted != 1000 {
		t.Fatalf("%+v, %v", res, err)
	}
	seen := map[string]bool{}
	for i, r := range res.Results {
		id := r.Notification.Deliveries[0].ID
		if seen[id] {
			t.Fatalf("item %d has another's id", i)
		}
		seen[id] = true
	}
	d := w.delivery(t, res.Results[777].Notification.Deliveries[0].ID)
	if d.Recipient != reqs[777].Recipient.Phone || *d.Content.Text != "item 0777" {
		t.Error("answers are not in the order of the items")
	}
	eventually(t, "all 1,000 are taken", func() error { return want("taken", w.emu.Counts().Accepted, 1000) })
	for s, n := range w.emu.TextCounts() {
		if n != 1 {
			t.Errorf("%s was taken %d times", s, n)
		}
	}
}
