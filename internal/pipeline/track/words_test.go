package track

import (
	"encoding/json"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

// TestMeant: a message that is nothing but such a word stands for a wish, in whatever case, accents and marks; one that only
// has it does not.
func TestMeant(t *testing.T) {
	t.Parallel()
	const all, promo = peal.CategoryAll, peal.CategoryMarketing
	known, own, none := &peal.Integration{}, &peal.Integration{StopWords: []string{"Genug!"}, StartWords: []string{"Los"}}, &peal.Integration{StopWords: []string{}, StartWords: []string{}}
	for _, c := range []struct {
		in       *peal.Integration
		text     string
		category string
		state    peal.ConsentState
	}{
		{known, "STOP", all, peal.OptedOut}, {known, "  stop.\n", all, peal.OptedOut}, {known, "«Stop»", all, peal.OptedOut}, {known, "Stop All", all, peal.OptedOut},
		{known, "unsubscribe", all, peal.OptedOut}, {known, "Don't message me", all, peal.OptedOut},
		{known, "Darme de baja", all, peal.OptedOut}, {known, "Cancelar suscripción", all, peal.OptedOut}, {known, "SAIR", all, peal.OptedOut},
		{known, "Arrêtez", all, peal.OptedOut}, {known, "ARRETEZ", all, peal.OptedOut}, {known, "Abmelden!", all, peal.OptedOut},
		{known, "बंद करें", all, peal.OptedOut}, {known, "إيقاف", all, peal.OptedOut}, {known, "الغاء الاشتراك", all, peal.OptedOut}, {known, "Berhenti", all, peal.OptedOut},
		{known, "Стоп", all, peal.OptedOut}, {known, "退订", all, peal.OptedOut}, {known, "수신거부", all, peal.OptedOut}, {known, "ＳＴＯＰ", all, peal.OptedOut},
		{known, "Stop promotions", promo, peal.OptedOut}, {known, "Detener promociones", promo, peal.OptedOut}, {known, "Parar promoções", promo, peal.OptedOut},
		{known, "START", all, peal.OptedIn}, {known, "Começar", all, peal.OptedIn}, {known, "शुरू करें", all, peal.OptedIn}, {known, "ابدأ", all, peal.OptedIn}, {known, "Mulai", all, peal.OptedIn},
		{known, "stop by at nine", "", ""}, {known, "Please don't stop", "", ""}, {known, "no", "", ""}, {known, "end", "", ""}, {known, "!!!", "", ""}, {known, "", "", ""},
		{own, "genug", all, peal.OptedOut}, {own, "STOP", "", ""}, {own, "Stop promotions", "", ""}, {own, "los!", all, peal.OptedIn}, {own, "START", "", ""},
		{none, "STOP", "", ""}, {none, "START", "", ""},
	} {
		m := &peal.Inbound{Type: "text", Text: c.text, From: "+14155550100"}
		got := meant(c.in, m)
		if (got == nil) != (c.state == "") || got != nil && (got.Category != c.category || got.State != c.state || got.Contact != m.From || got.Keyword != c.text) {
			t.Errorf("%q: %+v, want %s %q", c.text, got, c.category, c.state)
		}
	}
	button := &peal.Inbound{Type: "button", Text: "Nie wieder", FromUserID: "US.1", Content: json.RawMessage(`{"text":"Nie wieder","payload":"STOP"}`)}
	if got := meant(known, button); got == nil || got.Contact != "US.1" || got.Keyword != "STOP" {
		t.Errorf("a button's payload: %+v", got)
	}
	row := &peal.Inbound{Type: "interactive", Text: "Enough", From: "+14155550100", FromUserID: "US.1", Content: json.RawMessage(`{"button_reply":{"id":"unsubscribe"}}`)}
	if got := meant(known, row); got == nil || got.Contact != "+14155550100" || got.Other != "US.1" {
		t.Errorf("a reply's id: %+v", got)
	}
	for _, m := range []*peal.Inbound{{Type: "image", Text: "stop", From: "+14155550100"}, {Type: "reaction", Text: "stop", From: "+14155550100"}, {Type: "text", Text: "stop"}} {
		if got := meant(known, m); got != nil {
			t.Errorf("%+v: %+v", m, got)
		}
	}
}

// TestContentOfForeignBytes: what is no text in a message is none in what is told of it.
func TestContentOfForeignBytes(t *testing.T) {
	t.Parallel()
	f := &Folder{Now: time.Now}
	m := peal.Inbound{From: "+14155550100", Type: "text", Text: "x", Content: []byte("{\"body\":\"a\xffb\"}")}
	h, ok := f.said(&peal.Integration{ID: "i"}, &provider.Fact{Inbound: &m}, time.Now())
	if !ok || string(h.Inbound.Content) != "{\"body\":\"a\uFFFDb\"}" {
		t.Errorf("%q", h.Inbound.Content)
	}
}
