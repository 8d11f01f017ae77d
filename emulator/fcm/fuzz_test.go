package fcm_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"peal/emulator/fcm"
)

// FuzzSend: whatever the body is, the answer is one of the vendor's, and what
// is not JSON is never taken.
func FuzzSend(f *testing.F) {
	emu := fcm.New(fcm.Options{Limits: fcm.NoLimits(), AnyDevice: true, KeepShown: 10, Show: func(fcm.Shown) {}})
	f.Cleanup(emu.Close)
	bearer := "Bearer " + emu.IssueToken("demo")
	token := fcm.NewToken(fcm.NewFID())
	f.Add(strings.Replace(full, "TOKEN", token, 1))
	f.Add(strings.Replace(strings.Replace(full, "TOKEN", token, 1), "com.example.app", "", 1))
	f.Add(`{"message":{"topic":"a","data":{"\u00e9\"":"b"},"android":null}}`)
	f.Add(`[{"a":[1,-2.5e3,true,false,null,"\\"]}]`)
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "magic-") {
			t.Skip("may drop the connection, and take its time")
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/projects/demo/messages:send", strings.NewReader(body))
		r.Header.Set("Authorization", bearer)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		emu.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK:
			if !json.Valid([]byte(body)) || !utf8.ValidString(body) {
				t.Errorf("taken: %q", body)
			}
		case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("%d: %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("the answer is no JSON: %s", w.Body)
		}
	})
}
