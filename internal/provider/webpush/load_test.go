package webpush

import (
	"crypto/ecdh"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/webpush"
	"peal/internal/netguard"
	"peal/internal/peal"
)

// TestAnySizeIsDecrypted has the emulator decrypt texts of many sizes, each padded to its bucket.
func TestAnySizeIsDecrypted(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	d := b.subscribe(t)
	random := rand.New(rand.NewPCG(3, 4))
	sizes := []int{0, 1, 254, 255, 256, 3600}
	for range 60 {
		sizes = append(sizes, random.IntN(3600))
	}
	for _, n := range sizes {
		body := strings.Repeat("ü", n/2) + strings.Repeat("x", n%2)
		m := message(d)
		m.Content = api.Content{Push: &api.Push{Title: "t", Body: body, Link: "https://example.com"}}
		p, err := b.client.Preview(m)
		if err != nil {
			t.Fatal(err)
		}
		if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
			t.Fatalf("%d bytes: got %+v", n, out)
		}
		got := b.emu.Messages(emulator.Query{Limit: 1})[0]
		if got.Text != string(p.Body) || got.Shown.Body != body {
			t.Errorf("%d bytes: something else was decrypted", n)
		}
		if want := headerSize + padded(len(p.Body)) + tagSize; got.BodyBytes != want {
			t.Errorf("%d bytes of text: a body of %d, want %d", len(p.Body), got.BodyBytes, want)
		}
	}
}

// TestManyAtOnce sends 10,000 messages to push services that take 50 ms for each.
func TestManyAtOnce(t *testing.T) {
	const messages, places = 10_000, 256
	b := setup(t, emulator.Options{DecryptOneIn: 100, Latency: 50 * time.Millisecond, Keep: 100})
	in := account()
	in.Concurrency = places
	b.client = open(t, in, netguard.New(netip.MustParsePrefix("127.0.0.0/8")))
	devices := make([]*peal.Device, 100)
	for i := range devices {
		devices[i] = b.subscribe(t)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range places {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > messages {
					return
				}
				if out := b.client.Send(t.Context(), message(devices[i%int64(len(devices))])); out.Class != peal.ClassAccepted {
					t.Errorf("message %d: got %+v", i, out)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d messages in %s over %d places", messages, time.Since(start).Round(time.Millisecond), places)
	c := b.emu.Counts()
	if c.Accepted != messages || c.Signatures != 1 || c.Broken != 0 || c.Shown == 0 {
		t.Errorf("%d accepted, %d tokens, %d broken, %d shown", c.Accepted, c.Signatures, c.Broken, c.Shown)
	}
}

// BenchmarkMessage is what a message costs before it is written: its text, its key, its encryption.
func BenchmarkMessage(b *testing.B) {
	c := openBench(b)
	m := message(benchDevice(b))
	m.Content.Push.Body = strings.Repeat("x", 700)
	b.ReportAllocs()
	for b.Loop() {
		p, out := c.pack(m)
		if out != nil {
			b.Fatal(out)
		}
		if _, err := p.seal(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMessageSigned also makes the token, as a client would that does not keep it.
func BenchmarkMessageSigned(b *testing.B) {
	c := openBench(b)
	m := message(benchDevice(b))
	b.ReportAllocs()
	for b.Loop() {
		p, out := c.pack(m)
		if out != nil {
			b.Fatal(out)
		}
		if _, err := p.seal(); err != nil {
			b.Fatal(err)
		}
		if _, err := c.origins.signer.authorization(p.origin, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

func openBench(b *testing.B) *client {
	b.Helper()
	return open(b, account(), netguard.New())
}

func benchDevice(b *testing.B) *peal.Device {
	b.Helper()
	key, err := ecdh.P256().NewPrivateKey(unbase64(b, vectorSender))
	if err != nil {
		b.Fatal(err)
	}
	d := at("https://push.example.com/x")
	d.P256dh = encode(key.PublicKey().Bytes())
	return d
}
