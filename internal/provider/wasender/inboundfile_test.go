package wasender

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
)

// TestMedia: the provider is asked to decrypt a file, and it is fetched from where that says, without the key; what is not
// there any more, and addresses that are none, are told.
func TestMedia(t *testing.T) {
	t.Parallel()
	answer, status := "", http.StatusOK
	var asked, shown string
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc("POST /api/decrypt-media", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer "+testKey {
			t.Errorf("asked with %v, %v", r.Header, err)
		}
		asked = string(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		shown = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, "a picture")
	})
	rt := &http.Transport{}
	t.Cleanup(rt.CloseIdleConnections)
	c, err := Kind{}.Open(&peal.Integration{BaseURL: srv.URL + "/api", Credentials: map[string]string{apiKey: testKey, webhookSecret: testSecret}}, provider.Env{Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := &peal.Inbound{MessageID: "K", MediaID: "K", MediaType: "image/jpeg", Content: []byte(`{"imageMessage":{"mediaKey":"k"}}`)}
	fetch := func() (*provider.Media, error) { return c.(provider.MediaReader).Media(t.Context(), m) } //nolint:forcetypeassert // it is what is tested
	for _, answer = range []string{`{"success":true,"publicUrl":"` + srv.URL + `/file"}`, `{"success":true,"data":{"publicUrl":"` + srv.URL + `/file"}}`} {
		got, err := fetch()
		if err != nil {
			t.Fatal(err)
		}
		file, err := io.ReadAll(got.Body)
		if err = errors.Join(err, got.Body.Close()); err != nil || string(file) != "a picture" || got.Type != "image/jpeg" || got.Size != 9 || shown != "" {
			t.Errorf("%q %+v, shown %q, %v", file, got, shown, err)
		}
	}
	if want := `{"data":{"messages":{"key":{"id":"K"},"message":{"imageMessage":{"mediaKey":"k"}}}}}`; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	for name, c := range map[string]struct {
		status int
		answer string
		class  peal.Class
	}{
		"no address":          {200, `{"success":true}`, peal.ClassTemporary},
		"of another sort":     {200, `{"publicUrl":"ftp://example.com/x"}`, peal.ClassTemporary},
		"unencrypted":         {200, `{"publicUrl":"http://example.com/x"}`, peal.ClassTemporary},
		"not there any more":  {200, `{"publicUrl":"` + srv.URL + `/other"}`, peal.ClassPermanent},
		"cannot be decrypted": {422, `{"success":false}`, peal.ClassPermanent},
		"in trouble":          {500, `{}`, peal.ClassTemporary},
		"not what was asked":  {200, `<html>`, peal.ClassTemporary},
	} {
		status, answer = c.status, c.answer
		_, err := fetch()
		var e *provider.Error
		if !errors.As(err, &e) || e.Class != c.class || strings.Contains(err.Error(), testKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.Content = nil
	if _, err := fetch(); err == nil {
		t.Error("what is not known how to be decrypted was fetched")
	}
}
