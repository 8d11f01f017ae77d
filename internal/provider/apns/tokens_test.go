package apns

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	emulator "peal/emulator/apns"
	"peal/internal/peal"
	"peal/internal/provider"
)

// dial is a clock that tests turn, for the client and the emulator.
type dial struct {
	mu sync.Mutex
	at time.Time
}

func newDial() *dial { return &dial{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (d *dial) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *dial) turn(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = d.at.Add(by)
}

// clocked is a rig on a clock. The client's may go wrong by some time.
func clocked(t *testing.T, wrong time.Duration, limits ...emulator.Limits) (*rig, *dial) {
	t.Helper()
	d := newDial()
	opt := emulator.Options{Clock: d.now}
	for _, l := range limits {
		opt.Limits = l
	}
	return setup(t, opt, func(c *client) {
		c.tokens.now = func() time.Time { return d.now().Add(wrong) }
	}), d
}

func newTestSigner(t *testing.T) *signer {
	t.Helper()
	key, err := parseKey(newP8(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner("TEAM000001", "KEY0000001", key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSign(t *testing.T) {
	t.Parallel()
	s := newTestSigner(t)
	for range 50 { // r and s are shorter now and then
		text, err := s.sign(time.Unix(1795262400, 5e8))
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(text, ".")
		if len(parts) != 3 {
			t.Fatal(text)
		}
		var header, claims map[string]any
		for i, into := range []*map[string]any{&header, &claims} {
			b, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil || json.Unmarshal(b, into) != nil {
				t.Fatal(parts[i], err)
			}
		}
		if header["alg"] != "ES256" || header["kid"] != "KEY0000001" || claims["iss"] != "TEAM000001" || claims["iat"] != 1795262400.0 || len(claims) != 2 {
			t.Errorf("got %v, %v", header, claims)
		}
		sig, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || len(sig) != 64 {
			t.Fatalf("the signature has %d bytes, %v", len(sig), err)
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if !ecdsa.Verify(&s.key.PublicKey, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			t.Error("the signature is wrong")
		}
	}
}

// settle waits until nothing goes on in the background.
func (k *keeper) settle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.busy != nil {
		_ = k.wait(context.Background()) // it is the caller's next call that tells
	}
}

// TestOneToken has two nodes begin at once, with many goroutines: they share one token.
func TestOneToken(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	second := &rig{emu: r.emu, in: r.in, tokens: r.tokens}
	second.client = r.open(t)
	var wg sync.WaitGroup
	for _, node := range []*rig{r, second} {
		wg.Go(func() { wantAccepted(t, node.sendMany(t, 200), 200) })
	}
	wg.Wait()
	if seen := r.emu.Tokens(); len(seen) != 1 || r.tokens.made != 1 || seen[0].Uses != 400 {
		t.Errorf("Apple saw %+v, and %d were made; want one", seen, r.tokens.made)
	}
}

// TestRefresh follows a token for hours: it changes between 45 and 55 minutes of age, on both nodes alike.
func TestRefresh(t *testing.T) {
	t.Parallel()
	r, d := clocked(t, 0)
	second := &rig{emu: r.emu, in: r.in, tokens: r.tokens}
	second.client = r.open(t, func(c *client) { c.tokens.now = d.now })
	for range 4 * 60 {
		for _, node := range []*rig{r, second} {
			if out := node.send(t); out.Class != peal.ClassAccepted {
				t.Fatalf("at %v: %+v", d.now(), out)
			}
			node.client.tokens.settle() // what goes on in the background has come to its end
		}
		d.turn(time.Minute)
	}
	seen := r.emu.Tokens()
	if len(seen) < 5 || len(seen) > 6 {
		t.Errorf("Apple saw %d tokens in four hours", len(seen))
	}
	for i := 1; i < len(seen); i++ {
		if age := seen[i].IssuedAt.Sub(seen[i-1].IssuedAt); age < 45*time.Minute || age > 55*time.Minute {
			t.Errorf("token %d is replaced after %v", i, age)
		}
	}
	if _, all := openConns(r.emu); all != 2 {
		t.Errorf("%d connections, want one of each node", all)
	}
}

// TestRefreshFails keeps the token that it has, as long as Apple takes it.
func TestRefreshFails(t *testing.T) {
	t.Parallel()
	r, d := clocked(t, 0)
	wantAccepted(t, r.sendMany(t, 1), 1)
	r.tokens.fail(errors.New("the database is away"))
	d.turn(55 * time.Minute)
	wantAccepted(t, r.sendMany(t, 20), 20)
	d.turn(5 * time.Minute)
	if out := r.send(t); out.Class != peal.ClassTemporary || out.Code != codeToken {
		t.Errorf("got %+v, want it temporary", out)
	}
	r.tokens.fail(nil)
	wantAccepted(t, r.sendMany(t, 20), 20)
	if n := len(r.emu.Tokens()); n != 2 {
		t.Errorf("Apple saw %d tokens", n)
	}
}

func (k *sharedTokens) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// TestExpired has Apple call tokens expired.
func TestExpired(t *testing.T) {
	t.Parallel()
	t.Run("an old one, once for many pushes", func(t *testing.T) {
		t.Parallel()
		r, d := clocked(t, 0, emulator.Limits{TokenAge: 24 * time.Minute})
		wantAccepted(t, r.sendMany(t, 1), 1)
		d.turn(25 * time.Minute)
		wantAccepted(t, r.sendMany(t, 100), 100)
		if n := r.emu.Counts().ByReason[expiredProviderToken]; r.tokens.made != 2 || n == 0 {
			t.Errorf("%d tokens were made, want 2; %d pushes were refused", r.tokens.made, n)
		}
	})
	t.Run("a young one", func(t *testing.T) {
		t.Parallel()
		r, d := clocked(t, 0)
		wantAccepted(t, r.sendMany(t, 1), 1)
		d.turn(19 * time.Minute)
		r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: expiredProviderToken})
		out := r.send(t)
		if out.Class != peal.ClassIntegration || out.Pause != peal.PauseCredentials || out.Code != expiredProviderToken || !strings.Contains(out.Reason, "clock") {
			t.Errorf("got %+v", out)
		}
		if r.tokens.made != 1 {
			t.Errorf("%d tokens were made, want 1", r.tokens.made)
		}
	})
	t.Run("our clock is two hours behind", func(t *testing.T) {
		t.Parallel()
		r, _ := clocked(t, -2*time.Hour)
		out := r.send(t)
		if out.Class != peal.ClassIntegration || !strings.Contains(out.Reason, "clock") || r.tokens.made != 1 {
			t.Errorf("got %+v after %d tokens", out, r.tokens.made)
		}
	})
	t.Run("another node has made the next", func(t *testing.T) {
		t.Parallel()
		r, d := clocked(t, 0)
		wantAccepted(t, r.sendMany(t, 1), 1)
		second := &rig{emu: r.emu, in: r.in, tokens: r.tokens}
		second.client = r.open(t, func(c *client) { c.tokens.now = d.now })
		d.turn(56 * time.Minute)
		wantAccepted(t, second.sendMany(t, 1), 1)
		second.client.tokens.settle()
		r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: expiredProviderToken})
		wantAccepted(t, r.sendMany(t, 1), 1)
		r.client.tokens.settle()
		if r.tokens.made != 2 {
			t.Errorf("%d tokens were made, want 2", r.tokens.made)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		t.Parallel()
		r, d := clocked(t, 0)
		wantAccepted(t, r.sendMany(t, 1), 1)
		d.turn(30 * time.Minute)
		r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: expiredProviderToken, Every: true})
		if out := r.send(t); out.Class != peal.ClassIntegration || r.tokens.made != 2 {
			t.Errorf("got %+v after %d tokens", out, r.tokens.made)
		}
	})
}

// TestTooManyUpdates has the team's tokens change too often: the older one is used, and none is made for 20 minutes.
func TestTooManyUpdates(t *testing.T) {
	t.Parallel()
	r, d := clocked(t, 0)
	wantAccepted(t, r.sendMany(t, 1), 1)
	d.turn(25 * time.Minute)
	r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: expiredProviderToken}) // so that there is a second
	r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: tooManyTokens})
	if out := r.send(t); out.Class != peal.ClassAccepted {
		t.Fatalf("with the older token: %+v", out)
	}
	until(t, "one connection of two is open", func() bool { open, all := openConns(r.emu); return open == 1 && all == 2 })
	wantAccepted(t, r.sendMany(t, 10), 10)
	if seen := r.emu.Tokens(); len(seen) != 1 || r.tokens.made != 2 {
		t.Errorf("Apple saw %d tokens and %d were made", len(seen), r.tokens.made)
	}
	d.turn(21 * time.Minute) // the newer one's time has come
	wantAccepted(t, r.sendMany(t, 10), 10)
	if seen := r.emu.Tokens(); len(seen) != 2 || r.tokens.made != 2 {
		t.Errorf("Apple saw %d tokens and %d were made", len(seen), r.tokens.made)
	}
}

// TestHeld has no token that could be used, and none may be made.
func TestHeld(t *testing.T) {
	t.Parallel()
	r, d := clocked(t, 0)
	r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: tooManyTokens, Every: true})
	out := r.send(t)
	if out.Class != peal.ClassThrottled || out.RetryAfter != 20*time.Minute || r.emu.Counts().Requests != 1 {
		t.Errorf("got %+v after %d calls", out, r.emu.Counts().Requests)
	}
	k := r.client.tokens
	d.turn(10 * time.Minute)
	k.mu.Lock()
	k.current = provider.Token{}
	k.mu.Unlock()
	r.tokens.all = map[string]provider.Token{}
	if out := r.send(t); out.Class != peal.ClassThrottled || out.Code != tooManyTokens || out.RetryAfter != 10*time.Minute {
		t.Errorf("got %+v", out)
	}
}

// TestEmulatorsLimit has two keys of one team: the second one's token comes too soon.
func TestEmulatorsLimit(t *testing.T) {
	t.Parallel()
	r, d := clocked(t, 0)
	wantAccepted(t, r.sendMany(t, 1), 1)
	r.in.Credentials = map[string]string{"team_id": "TEAM000001", "key_id": "KEY0000002", "key": string(r.emu.NewKey("TEAM000001", "KEY0000002"))}
	other := &rig{emu: r.emu, in: r.in, tokens: r.tokens}
	other.client = r.open(t, func(c *client) { c.tokens.now = d.now })
	if out := other.send(t); out.Class != peal.ClassThrottled || out.Code != tooManyTokens {
		t.Errorf("got %+v", out)
	}
	d.turn(21 * time.Minute)
	wantAccepted(t, other.sendMany(t, 5), 5)
}

// TestSharedByKey has another tenant give the ids of somebody's key: it does not get the token.
func TestSharedByKey(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	wantAccepted(t, r.sendMany(t, 1), 1)
	in := *r.in
	in.Credentials = map[string]string{"team_id": "TEAM000001", "key_id": "KEY0000001", "key": newP8(t)}
	other := &rig{emu: r.emu, in: &in, tokens: r.tokens}
	other.client = other.open(t)
	if out := other.send(t); out.Class != peal.ClassIntegration || out.Code != "InvalidProviderToken" {
		t.Errorf("got %+v", out)
	}
	if p := r.emu.Pushes(emulator.Query{Status: http.StatusForbidden}); len(p) != 1 {
		t.Errorf("%d pushes were refused", len(p))
	}
}

// TestKeeperWaits gives up waiting for the shared token when the caller does.
func TestKeeperWaits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	k := newKeeper(newTestSigner(t), slowTokens{release})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := k.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(release)
	if token, err := k.get(t.Context()); err != nil || token.Value == "" {
		t.Errorf("got %v", err)
	}
	k.close()
}

// slowTokens answers when it is released.
type slowTokens struct{ release chan struct{} }

func (s slowTokens) SwapToken(_ context.Context, _ string, _ time.Time, next provider.Token) (provider.Token, error) {
	<-s.release
	return next, nil
}

// TestTokenOfTheFuture: a clock that was a day ahead has left a token that Apple does not take. It does not keep the nodes
// from making another until the day has come.
func TestTokenOfTheFuture(t *testing.T) {
	t.Parallel()
	r, d := clocked(t, 0)
	s := r.client.tokens.signer
	later := d.now().Add(24 * time.Hour)
	value, err := s.sign(later)
	if err != nil {
		t.Fatal(err)
	}
	r.tokens.all = map[string]provider.Token{s.name: {Value: value, MadeAt: later}}
	wantAccepted(t, r.sendMany(t, 1), 1)
	if now := r.tokens.all[s.name]; now.Value == value || r.tokens.made != 1 {
		t.Errorf("%d tokens were made, and of %v is the one that stands", r.tokens.made, now.MadeAt)
	}
}
