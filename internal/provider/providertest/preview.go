package providertest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
)

// testPreview shows a message that is not sent.
func testPreview(t *testing.T, s *Suite) {
	r := setup(t, s)
	c, ok := r.client.(provider.Previewer)
	if !ok {
		t.Skip("it has no preview")
	}
	m := r.message()
	p, err := c.Preview(&m)
	if err != nil {
		t.Fatal(err)
	}
	if p.URL == "" || !json.Valid(p.Body) {
		t.Errorf("a preview has a URL, and JSON for a body: %+v", p)
	}
	text := fmt.Sprintf("%s %v %s", p.URL, p.Header, p.Body)
	if m.Device == nil { // then whoever asks has given the recipient himself
		text = strings.ReplaceAll(text, strings.TrimPrefix(m.To, "+"), "")
	}
	s.checkDiscreet(t, r.in, text)
	if n := r.sends.Load(); n != 0 || r.server.Taken() != 0 {
		t.Errorf("the preview was sent: %d calls, %d taken", n, r.server.Taken())
	}
}

// testValidate asks the provider whether it would take a message.
func testValidate(t *testing.T, s *Suite) {
	r := setup(t, s)
	c, ok := r.client.(provider.Validator)
	if !ok {
		t.Skip("the provider validates nothing")
	}
	m := r.message()
	out := c.Validate(t.Context(), &m)
	s.checkOutcome(t, r.in, out)
	if out.Class != peal.ClassAccepted || r.server.Taken() != 0 {
		t.Errorf("got %+v, and %d were taken; want it accepted, and none taken", out, r.server.Taken())
	}
}
