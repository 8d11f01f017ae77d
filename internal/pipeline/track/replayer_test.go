package track_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
)

// halting is a carrier whose parser does not know a form, until it is mended.
type halting struct {
	*carrier
	mended atomic.Bool
}

const newForm = "v2:"

func (h *halting) ParseWebhook(header http.Header, body []byte) ([]provider.Fact, error) {
	if len(body) > len(newForm) && string(body[:len(newForm)]) == newForm {
		if !h.mended.Load() {
			return nil, errors.New("an unknown form")
		}
		body = body[len(newForm):]
	}
	return h.carrier.ParseWebhook(header, body)
}

// parsing are integrations whose parser is another.
type parsing struct {
	track.Integrations
	kind provider.Kind
}

func (p parsing) Kind(string) (provider.Kind, bool) { return p.kind, true }

func (b *bundle) replayer(f *track.Folder) *track.Replayer {
	return track.NewReplayer(track.Replayer{
		Folder: f, Replays: b.store, Unreadables: b.store, Library: b.stream, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
}

// replay runs one to its end.
func (b *bundle) replay(r *track.Replayer, p peal.CallbackReplay) peal.CallbackReplay {
	b.Helper()
	p.TenantID, p.ID, p.IntegrationID, p.CreatedAt = "a", peal.NewID(), b.in.ID, time.Now()
	if err := b.store.AddReplay(b.Context(), &p); err != nil {
		b.Fatal(err)
	}
	r.Wake()
	b.eventually("the replay ends", func() bool {
		got, err := b.store.Replay(b.Context(), "a", p.ID)
		if err != nil {
			b.Fatal(err)
		}
		p = got
		return !p.EndedAt.IsZero()
	})
	return p
}

func (b *bundle) counts(what string, p peal.CallbackReplay, want peal.ReplayCounts) {
	b.Helper()
	if p.ReplayCounts != want || p.Failure != "" {
		b.Errorf("%s: %+v, %s; want %+v", what, p.ReplayCounts, p.Failure, want)
	}
}

// TestReplayAfterAParserWasMended: what could not be understood when it came moves its rows then, and nothing else is changed.
func TestReplayAfterAParserWasMended(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kind := &halting{carrier: b.carrier}
	f := b.folder()
	f.Integrations = parsing{f.Integrations, kind}
	stop := b.run(f)
	right, missed, failed := b.sent(b.in, 0), b.sent(b.in, 0), b.sent(b.in, 0)
	at := time.Now().Truncate(time.Microsecond)
	b.tell(b.in, fact{ID: "m-" + right.ID, Status: peal.Delivered, At: at}, fact{ID: "m-" + right.ID, Status: peal.Read})
	b.tell(b.in, fact{ID: "m-" + failed.ID, Status: peal.Failed, At: at}, fact{ID: "gone", Status: peal.Read}, fact{Session: "need_scan"})
	if err := b.post(b.in, fmt.Sprintf(`%s[{"ID":"m-%s","Status":"delivered"}]`, newForm, missed.ID)); err != nil {
		t.Fatal(err)
	}
	if err := b.post(b.in, "not JSON"); err != nil {
		t.Fatal(err)
	}
	b.tell(b.in, fact{Session: "connected"})
	b.reaches(peal.Read, right)
	b.backlog(0)
	stop()
	before := []*peal.Delivery{b.delivery(right), b.delivery(failed)}
	parked, err := b.store.Parked(t.Context(), b.in.ID)
	if err != nil {
		t.Fatal(err)
	}

	b.openStreamAgain() // the consumer is forgotten
	f = b.folder()
	f.Integrations = parsing{f.Integrations, kind}
	r := b.replayer(f)
	b.run(f)
	b.run(r)
	b.counts("before it is mended", b.replay(r, peal.CallbackReplay{}), peal.ReplayCounts{Read: 5, Facts: 6, Unreadable: 2})
	kind.mended.Store(true)
	b.counts("dry run", b.replay(r, peal.CallbackReplay{DryRun: true}), peal.ReplayCounts{Read: 5, Facts: 7, Mended: 1, Unreadable: 1})
	if got := b.delivery(missed); got.Status != peal.Sent {
		t.Errorf("a dry run made it %s", got.Status)
	}
	b.counts("mended", b.replay(r, peal.CallbackReplay{Since: at.Add(-time.Hour)}), peal.ReplayCounts{Read: 5, Facts: 7, Mended: 1, Changed: 1, Unreadable: 1})
	got := b.delivery(missed)
	if got.Status != peal.Delivered || got.DeliveredAt.Before(at) || got.DeliveredAt.After(at.Add(patience)) {
		t.Errorf("the one that was missed is %s, delivered at %v", got.Status, got.DeliveredAt)
	}
	b.counts("once more", b.replay(r, peal.CallbackReplay{}), peal.ReplayCounts{Read: 5, Facts: 7, Unreadable: 1})
	b.counts("those that are broken", b.replay(r, peal.CallbackReplay{Broken: true}), peal.ReplayCounts{Read: 1, Unreadable: 1})
	b.counts("some alone", b.replay(r, peal.CallbackReplay{IDs: []string{"1", "3", "77", "u77", "x"}}), peal.ReplayCounts{Read: 2, Facts: 3})
	b.counts("of the future", b.replay(r, peal.CallbackReplay{Since: time.Now().Add(time.Hour)}), peal.ReplayCounts{})
	b.counts("of the past", b.replay(r, peal.CallbackReplay{Until: at.Add(-time.Hour)}), peal.ReplayCounts{})
	for i, d := range []peal.Delivery{right, failed} {
		if got := b.delivery(d); fmt.Sprint(*got) != fmt.Sprint(*before[i]) {
			t.Errorf("what was right was changed:\n%+v\n%+v", *before[i], *got)
		}
	}
	if n, err := b.store.Parked(t.Context(), b.in.ID); err != nil || n != parked {
		t.Errorf("%d are parked, before %d (%v)", n, parked, err)
	}
	if p := b.service.ByID(b.in.ID).Pause; p != nil {
		t.Errorf("old news paused the integration: %+v", p)
	}
	left, err := b.store.UnreadableAfter(t.Context(), []string{b.in.ID}, 0, time.Time{}, time.Time{}, 10)
	if err != nil || len(left) != 1 {
		t.Errorf("%d are still kept as unreadable, %v; want one", len(left), err)
	}
}

// openStreamAgain closes the broker and opens it on the same folder.
func (b *bundle) openStreamAgain() {
	b.Helper()
	b.stream.Close()
	b.openStream()
}

// TestReplayOfADeletedIntegration ends.
func TestReplayOfADeletedIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.replayer(b.folder())
	if err := b.service.Delete(t.Context(), "a", b.in.ID); err != nil {
		t.Fatal(err)
	}
	b.run(r)
	if p := b.replay(r, peal.CallbackReplay{}); p.Failure == "" {
		t.Errorf("%+v", p)
	}
}

// TestReplayGoesOnWhereItWas when it is interrupted, and does not lose count.
func TestReplayGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.folder()
	stop := b.run(f)
	for range 300 {
		b.tell(b.in, fact{ID: "m", Status: peal.Read})
	}
	b.backlog(0)
	stop()
	b.eventually("all are folded in", func() bool {
		a, err := b.stream.Archive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return a.Folded == 300
	})
	p := peal.CallbackReplay{TenantID: "a", ID: peal.NewID(), IntegrationID: b.in.ID, CreatedAt: time.Now()}
	if err := b.store.AddReplay(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		r := b.replayer(f)
		r.Library = &stepwise{Library: b.stream, left: 2, stop: cancel}
		if err := r.Run(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	b.run(b.replayer(f))
	b.eventually("the replay ends", func() bool {
		var err error
		if p, err = b.store.Replay(t.Context(), "a", p.ID); err != nil {
			t.Fatal(err)
		}
		return !p.EndedAt.IsZero()
	})
	b.counts("in several goes", p, peal.ReplayCounts{Read: 300, Facts: 300})
}

// stepwise is an archive that stops who reads it after a few pages.
type stepwise struct {
	track.Library
	left int
	stop func()
}

func (s *stepwise) Backlog(ctx context.Context) (uint64, error) {
	if s.left--; s.left < 0 {
		s.stop()
		return 0, ctx.Err()
	}
	return s.Library.Backlog(ctx)
}

// TestTheReaderShowsWhatIsKept: pages, the broken ones, and one with what it says.
func TestTheReaderShowsWhatIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.integration("other")
	f := b.folder()
	b.run(f)
	d := b.sent(b.in, 0)
	b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read}, fact{Session: "connected"})
	for _, body := range []string{"not JSON", "panic"} {
		if err := b.post(b.in, body); err != nil {
			t.Fatal(err)
		}
	}
	b.tell(other)
	b.backlog(0)
	r := &track.Reader{Folder: f, Library: b.stream, Unreadables: b.store}
	mine := []string{b.in.ID}
	list := func(want string, filter track.ReadFilter) {
		t.Helper()
		var got []string
		for range 10 {
			page, next, err := r.List(t.Context(), &filter)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page {
				got = append(got, fmt.Sprintf("%s %s %t", s.ID, s.Body, s.Unreadable != ""))
			}
			if filter.After = next; next == "" {
				break
			}
		}
		if fmt.Sprintf("%q", got) != want {
			t.Errorf("listed are %q, want %s", got, want)
		}
	}
	first, err := r.Get(t.Context(), mine, "1")
	if err != nil || len(first.Facts) != 2 || first.Error != "" || first.Unreadable != "" || first.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v, %v", first, err)
	}
	said := fmt.Sprintf("%q", fmt.Sprintf("1 %s false", first.Body))
	list(`[`+said+` "2 not JSON true" "3 panic true"]`, track.ReadFilter{Integrations: mine, Limit: 2})
	list(`["4 null false"]`, track.ReadFilter{Integrations: []string{other.ID}, Limit: 2})
	list(`["u1 not JSON true" "u2 panic true"]`, track.ReadFilter{Integrations: mine, Unreadable: true, Limit: 1})
	list(`[]`, track.ReadFilter{Integrations: mine, Until: first.ReceivedAt.Add(-time.Hour), Limit: 2})
	for _, id := range []string{"3", "u2"} {
		s, err := r.Get(t.Context(), mine, id)
		if err != nil || string(s.Body) != "panic" || s.Unreadable == "" || s.Error == "" || s.Facts != nil {
			t.Errorf("%s: %+v, %v", id, s, err)
		}
	}
	for _, id := range []string{"4", "0", "-1", "u", "u9", "", "x", "99999999999999999999"} {
		if _, err := r.Get(t.Context(), mine, id); peal.KindOf(err) != peal.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
}
