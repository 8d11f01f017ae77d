package whatsappcloud_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/whatsappcloud"
)

// TestMediaHosts: the token is shown to Meta's hosts and to the API's own, to nobody else, and not over a bare connection.
func TestMediaHosts(t *testing.T) {
	t.Parallel()
	answer, shown := "", ""
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	mux.HandleFunc("GET /v26.0/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("phone_number_id") == "" {
			t.Error("asked without the number")
		}
		_, _ = io.WriteString(w, answer)
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		shown = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, "a picture")
	})
	in := integration(srv.URL)
	rt := &http.Transport{}
	t.Cleanup(rt.CloseIdleConnections)
	c, err := whatsappcloud.Kind{}.Open(in, provider.Env{Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := &peal.Inbound{MediaID: "77", MediaType: "image/jpeg"}
	fetch := func() (*provider.Media, error) { return c.(provider.MediaReader).Media(t.Context(), m) } //nolint:forcetypeassert // it is what is tested
	answer = `{"url":"` + srv.URL + `/file","mime_type":"image/png"}`
	got, err := fetch()
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(got.Body)
	if err = errors.Join(err, got.Body.Close()); err != nil || string(file) != "a picture" || got.Type != "image/png" || shown != "Bearer "+in.Credentials["access_token"] {
		t.Errorf("%q %+v, shown %q, %v", file, got, shown, err)
	}
	for _, at := range []string{
		other.URL + "/x", "http://lookaside.fbsbx.com/x", "https://lookaside.fbsbx.com.example.com/x", "https://evilfbsbx.com/x",
		"https://user:pass@lookaside.fbsbx.com/x", "https://lookaside.fbsbx.com:8443/x", "", "//", "file:///etc/passwd",
	} {
		answer = `{"url":"` + at + `"}`
		if _, err := fetch(); err == nil {
			t.Errorf("%q was asked", at)
		}
	}
	for _, id := range []string{"", "../me", "a?b", "a/b"} {
		m.MediaID = id
		var e *provider.Error
		if _, err := fetch(); !errors.As(err, &e) || e.Class != peal.ClassPermanent {
			t.Errorf("%q: %v", id, err)
		}
	}
}
