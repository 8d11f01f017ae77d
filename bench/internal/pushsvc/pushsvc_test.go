package pushsvc

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/bench/internal/load"
	"peal/bench/internal/tally"
)

// post sends a body over HTTP/2 to a server that vouches for itself.
func post(t *testing.T, s *Server, path, body string) (status int, id, answer string) {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.CA)) {
		t.Fatal("no certificate")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Apns-Id", "an-id")
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.ProtoMajor != 2 {
		t.Errorf("over %s", res.Proto)
	}
	return res.StatusCode, res.Header.Get("Apns-Id"), string(raw)
}

func start(t *testing.T, kind string, latency time.Duration) *Server {
	t.Helper()
	s, err := Start(kind, latency)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// text is a message's, with the number that it is to have.
func text(run, seq int) string {
	mark := tally.AppendMarker(nil, run)
	tally.PutDigits(mark[tally.SeqAt:tally.SeqAt+tally.SeqDigits], int64(seq))
	return string(mark)
}

func token(device int) string { return fmt.Sprintf("%s%08d", load.TokenPrefix, device) }

func TestArrivals(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{FCM, APNs} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := start(t, kind, 0)
			push := func(device int, text string) {
				t.Helper()
				path, body := "/3/device/"+token(device), `{"aps":{"alert":{"body":"`+text+`"}}}`
				if kind == FCM {
					path, body = "/v1/projects/bench/messages:send", `{"message":{"token":"`+token(device)+`","notification":{"body":"`+text+`"}}}`
				}
				status, id, answer := post(t, s, path, body)
				if status != 200 || (kind == FCM) != strings.Contains(answer, "projects/bench/messages/") || (kind == APNs) != (id == "an-id") {
					t.Errorf("%s: %d %s", body, status, answer)
				}
			}
			push(1, text(1, 1)) // nobody asked for it
			ta := tally.New(1, 0, 10)
			ta.Among(4)
			s.Record(ta)
			push(1, text(1, 5))
			push(2, text(1, tally.Everybody))
			if n := s.Counts(); ta.Distinct() != 2 || n.Strays != 1 || n.Unknown != 0 {
				t.Errorf("%d came, %+v", ta.Distinct(), n)
			}
			push(1, text(1, 5)) // again
			push(2, text(1, 7)) // another's
			push(3, text(2, 3)) // of another run
			push(3, "nothing")
			if n := s.Counts(); ta.Distinct() != 2 || ta.Report().Duplicates != 1 || n.Strays != 4 {
				t.Errorf("%d came, %d again, %+v", ta.Distinct(), ta.Report().Duplicates, n)
			}
			if status, _, _ := post(t, s, "/elsewhere", ""); status != 404 || s.Counts().Unknown != 1 {
				t.Errorf("%d, %+v", status, s.Counts())
			}
		})
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	const latency = 30 * time.Millisecond
	s := start(t, APNs, latency)
	ta := tally.New(1, 0, 10)
	s.Record(ta)
	began := time.Now()
	post(t, s, "/3/device/"+token(1), text(1, 1))
	if took := time.Since(began); took < latency || ta.Distinct() != 1 {
		t.Errorf("%v, %d came", took, ta.Distinct())
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for kind, names := range map[string][]string{FCM: {"service_account"}, APNs: {"team_id", "key_id", "key"}} {
		c, err := start(t, kind, 0).Credentials()
		for _, name := range names {
			if err != nil || c[name] == "" {
				t.Errorf("%s: no %s, %v", kind, name, err)
			}
		}
	}
	s := start(t, FCM, 0)
	if _, _, answer := post(t, s, "/token", ""); !bytes.Contains([]byte(answer), []byte(`"access_token"`)) {
		t.Error(answer)
	}
}
