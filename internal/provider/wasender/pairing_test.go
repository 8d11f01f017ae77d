package wasender

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
)

// TestPairingAnswers: what connect and qrcode may answer, whatever of it is documented.
func TestPairingAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		want   provider.Pairing
		class  peal.Class
	}{
		"as documented":  {200, `{"success":true,"data":{"status":"NEED_SCAN","qrCode":"2@DTMU"}}`, provider.Pairing{Health: health("need_scan"), QR: "2@DTMU"}, ""},
		"the code alone": {200, `{"success":true,"data":{"qrCode":"2@DTMU"}}`, provider.Pairing{Health: health("need_scan"), QR: "2@DTMU"}, ""},
		"no code needed": {200, `{"success":true,"data":{"status":"CONNECTED","message":"Session is already connected."}}`, provider.Pairing{Health: health("connected")}, ""},
		"not waiting":    {400, `{"success":false,"message":"The session is not waiting for a scan."}`, provider.Pairing{}, peal.ClassPermanent},
		"no such token":  {401, `{"message":"Unauthenticated."}`, provider.Pairing{}, peal.ClassIntegration},
		"too fast":       {429, `{"message":"slowly","retry_after":3}`, provider.Pairing{}, peal.ClassThrottled},
		"nothing":        {200, `{"success":true,"data":{}}`, provider.Pairing{}, peal.ClassTemporary},
		"refused":        {200, `{"success":false,"message":"no"}`, provider.Pairing{}, peal.ClassTemporary},
		"endless":        {200, `{"success":true,"data":{"qrCode":"` + strings.Repeat("x", maxQR+1) + `"}}`, provider.Pairing{}, peal.ClassTemporary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			c := pairable(t, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			for _, call := range []func() (provider.Pairing, error){
				func() (provider.Pairing, error) { return c.Connect(t.Context()) }, func() (provider.Pairing, error) { return c.QR(t.Context()) },
			} {
				got, err := call()
				e, _ := errors.AsType[*provider.Error](err)
				if got != tt.want || (e == nil) != (tt.class == "") || e != nil && (e.Class != tt.class || strings.Contains(e.Error(), "slowly")) {
					t.Errorf("%+v, %v", got, err)
				}
			}
			want := "POST /api/whatsapp-sessions/501/connect Bearer " + testToken + " GET /api/whatsapp-sessions/501/qrcode Bearer " + testToken
			if strings.Join(asked, " ") != want {
				t.Errorf("asked %s", asked)
			}
		})
	}
}

func TestPairingNeedsTheAccountsToken(t *testing.T) {
	t.Parallel()
	c := open(t, func(http.ResponseWriter, *http.Request) { t.Error("the provider was asked") })
	_, err := c.Connect(t.Context())
	if e, ok := errors.AsType[*provider.Error](err); !ok || e.Class != peal.ClassPermanent || e.Code != codeNoToken {
		t.Errorf("%v", err)
	}
}

// pairable is a client that has the account's token, of a server that answers by the handler.
func pairable(t *testing.T, h http.HandlerFunc) *client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	in := testIntegration(srv.URL + "/api")
	in.Credentials[accountToken], in.Credentials[sessionID] = testToken, "501"
	rt := &http.Transport{}
	t.Cleanup(rt.CloseIdleConnections)
	c, err := Kind{}.Open(in, provider.Env{Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*client)
}
