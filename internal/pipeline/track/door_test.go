package track_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/track"
)

func TestTheDoorLetsInWhoHasTheSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret := http.Header{"X-Secret": {"s3cret"}}
	for name, c := range map[string]struct {
		kind, token string
		header      http.Header
		want        peal.Kind
	}{
		"another kind":  {"wasender", b.in.HookToken, secret, peal.NotFound},
		"no token":      {"carrier", "", secret, peal.NotFound},
		"wrong token":   {"carrier", b.in.HookToken + "x", secret, peal.NotFound},
		"an id":         {"carrier", b.in.ID, secret, peal.NotFound},
		"no secret":     {"carrier", b.in.HookToken, http.Header{}, track.Unauthorized},
		"wrong secret":  {"carrier", b.in.HookToken, http.Header{"X-Secret": {"s3cre"}}, track.Unauthorized},
		"two of them":   {"carrier", b.in.HookToken, http.Header{"X-Secret": {"x", "s3cret"}}, track.Unauthorized},
		"not even that": {"", "", nil, peal.NotFound},
	} {
		err := b.door.Take(t.Context(), c.kind, c.token, c.header, []byte("[]"))
		if err == nil || peal.KindOf(err) != c.want {
			t.Errorf("%s: %v; want kind %s", name, err, c.want)
		}
	}
	b.backlog(0) // nothing of them was kept
	if err := b.post(b.in, "[]"); err != nil {
		t.Fatal(err)
	}
	b.backlog(1)
}

// keeper takes note of what is kept.
type keeper struct {
	kept []byte
	err  error
}

func (k *keeper) Keep(_ context.Context, _ string, sealed []byte) error {
	k.kept = bytes.Clone(sealed)
	return k.err
}

func TestWhatIsKeptIsSealed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	k := &keeper{}
	b.door.Keeper, b.door.Holder = k, nil
	if err := b.post(b.in, `[{"Key":"+14155550100"}]`); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"+14155550100", "s3cret", "Key"} {
		if bytes.Contains(k.kept, []byte(s)) {
			t.Errorf("what is kept shows %q", s)
		}
	}
	plain, err := b.vault.Open(k.kept, "callback:"+b.in.ID)
	if err != nil || bytes.Contains(plain, []byte("s3cret")) {
		t.Errorf("opened it is %s, %v; the secret has done its work", plain, err)
	}
	k.err = errors.New("disk full")
	if err := b.post(b.in, "[]"); peal.KindOf(err) != peal.Unavailable {
		t.Errorf("what could not be kept was answered %v", err)
	}
}

// TestKeptWebhooksOutliveTheBroker: what was answered is folded, though everything was stopped in between.
func TestKeptWebhooksOutliveTheBroker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.sent(b.in, 0)
	b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read, At: time.Now()})
	b.stream.Close()
	b.openStream()
	b.run(b.folder())
	b.reaches(peal.Read, d)
	b.backlog(0)
}

// TestTheLargestWebhookFitsTheBroker: brokers are asked to take messages of that size, and no more.
func TestTheLargestWebhookFitsTheBroker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	k := &keeper{}
	b.door.Keeper = k
	if err := b.post(b.in, strings.Repeat("x", track.MaxWebhook)); err != nil {
		t.Fatal(err)
	}
	const headers = 64 << 10 // what the API server takes at most, and more
	if len(k.kept) == 0 || len(k.kept)+headers > pipeline.MaxMessage {
		t.Errorf("it has %d bytes; messages may have %d", len(k.kept), pipeline.MaxMessage)
	}
}
