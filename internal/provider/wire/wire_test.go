package wire

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

func TestTransportTrustsItsOwnCertificates(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	shared := &http.Transport{}
	t.Cleanup(shared.CloseIdleConnections)
	env := provider.Env{Transport: shared, Dial: (&net.Dialer{}).DialContext}
	call := func(ca string) error {
		rt, own, err := Transport(&peal.Integration{CA: ca}, env)
		if err != nil {
			return err
		}
		if own != nil {
			defer own.CloseIdleConnections()
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			return err
		}
		res, err := rt.RoundTrip(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	if err := call(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))); err != nil {
		t.Errorf("with its certificate: %v", err)
	}
	if code, _ := Diagnose(t.Context(), call("")); code != CodeTLS {
		t.Errorf("without: got %s", code)
	}
	var e *peal.Error
	if err := call("no certificate"); !errors.As(err, &e) || e.Kind != peal.Invalid || e.Fields[0].Path != "settings.ca" {
		t.Errorf("rubbish: got %v", err)
	}
	if _, _, err := Transport(&peal.Integration{}, provider.Env{}); err == nil {
		t.Error("there is a transport where there is none")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-3": 0, "NaN": 0, "soon": 0, "7": 7 * time.Second, " 1.5 ": 1500 * time.Millisecond, "1e300": 24 * time.Hour, "Inf": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0, "Sat, 02 Jan 2027 03:00:00 GMT": 24 * time.Hour,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]int{0: 10, 9: 10, 10: 10, 5000: 8192} {
		b, err := ReadAll(nil, strings.NewReader(strings.Repeat("x", n)), most)
		if err != nil || len(b) != n {
			t.Errorf("%d of %d: got %d and %v", n, most, len(b), err)
		}
	}
	if b, err := ReadAll(make([]byte, 0, 64), strings.NewReader(strings.Repeat("x", 11)), 10); !errors.Is(err, ErrTooLong) || len(b) > 0 {
		t.Errorf("got %d bytes and %v", len(b), err)
	}
}

// TestUploadSealed: once it was said that nothing was written, nothing is.
func TestUploadSealed(t *testing.T) {
	t.Parallel()
	u := &Upload{Data: []byte("message")}
	req := (&http.Request{}).WithContext(context.Background())
	u.Attach(req)
	if req.ContentLength != 7 {
		t.Errorf("length %d", req.ContentLength)
	}
	if u.Seal() {
		t.Error("nothing was read, and it may have been written")
	}
	if n, err := req.Body.Read(make([]byte, 7)); n > 0 || err == nil {
		t.Errorf("%d bytes were read after that, %v", n, err)
	}
	again, err := req.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(again); string(b) != "message" || err != nil || !u.Seal() {
		t.Errorf("got %q, %v", b, err)
	}
}
