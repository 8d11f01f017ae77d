package apns

import (
	"testing"
	"time"
)

// FuzzPayload renders every payload that is taken.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		"", "null", "[]", `{"aps":null}`, `{"aps":{"alert":"x"}}`, `{"aps":{"alert":{"loc-key":"K","loc-args":["a"]},"sound":{},"badge":1.5}}`,
		`{"aps":{"alert":"x","mutable-content":1},"actions":"[]","image":{"a":1},"fcm_options":7}`,
	} {
		f.Add("alert", seed)
	}
	f.Add("background", `{"aps":{"content-available":1}}`)
	s := New(Options{Apps: []App{{Bundle: "b", Strings: map[string]string{"K": "%@ %1$@ %2$@"}}}})
	f.Fuzz(func(t *testing.T, kind, payload string) {
		if checkPayload(kind, []byte(payload)) == "" {
			s.render(&push{kind: kind, bundle: "b", payload: []byte(payload)})
		}
	})
}

// FuzzProviderToken finds no text that passes for a token of a key that signed none.
func FuzzProviderToken(f *testing.F) {
	f.Add("bearer a.b.c", "org.example.app", "alert")
	f.Add("Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6IktFWTAwMDAwMDEifQ.eyJpc3MiOiJURUFNMDAwMDAxIiwiaWF0IjoxODAwMDAwMDAwfQ."+
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a.voip", "voip")
	s := New(Options{})
	s.NewKey("TEAM000001", "KEY0000001")
	f.Fuzz(func(t *testing.T, authorization, topic, kind string) {
		_, _ = splitTopic(topic, kind)
		if _, reason := s.authenticate(&login{}, authorization, topic, time.Unix(1_800_000_000, 0)); reason == "" {
			t.Errorf("%q was accepted", authorization)
		}
	})
}
