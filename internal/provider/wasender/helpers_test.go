package wasender

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

const (
	testKey    = "key-3f9a"
	testSecret = "hook-secret-77"
	testPhone  = "+919812345678"
)

func testIntegration(baseURL string) *peal.Integration {
	return &peal.Integration{
		ID: "in-1", Kind: "wasender", BaseURL: baseURL, Timeout: 10 * time.Second,
		Credentials: map[string]string{apiKey: testKey, webhookSecret: testSecret},
	}
}

func textMessage() *provider.Message {
	text := "Your order is on its way"
	return &provider.Message{DeliveryID: "d-1", To: testPhone, Content: api.Content{Text: &text}}
}

// open makes a client of a server that answers by the handler.
func open(t testing.TB, h http.HandlerFunc) *client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return openAt(t, srv.URL+"/api", &http.Transport{MaxIdleConnsPerHost: 64})
}

func openAt(t testing.TB, baseURL string, rt http.RoundTripper) *client {
	t.Helper()
	c, err := Kind{}.Open(testIntegration(baseURL), provider.Env{Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	if tr, ok := rt.(*http.Transport); ok {
		t.Cleanup(tr.CloseIdleConnections)
	}
	return c.(*client)
}

// answering gives a handler that answers sends, and asks for the session's state with state.
func answering(status int, header http.Header, body, state string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/status" {
			if state == "" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_, _ = w.Write([]byte(state))
			return
		}
		for k, v := range header {
			w.Header()[http.CanonicalHeaderKey(k)] = v
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}
