package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"peal/bench/internal/load"
	"peal/bench/internal/tally"
)

// errNoAudience is of a Peal that cannot send to an audience.
var errNoAudience = errors.New("this Peal takes no recipient.audience: the fan-out is NOT measured")

// among has the messages of a tally go to the devices that there are.
func (s *scene) among(t *tally.Tally) {
	if s.sys != nil && s.sys.Push != nil {
		t.Among(s.sys.Push.Devices)
	}
}

// fanOut sends one notification to all devices. Each counts as one that was accepted with it.
func (s *scene) fanOut(ctx context.Context, t *tally.Tally) error {
	sent := t.Now()
	status, body, err := load.Once(ctx, s.sys.Addr, load.FanOut(s.sys.Addr, s.key, t.Run()))
	switch {
	case err != nil:
		return err
	case (status == 422 || status == 501) && bytes.Contains(body, []byte("audience")):
		return fmt.Errorf("%w: %s", errNoAudience, body)
	case status != 202:
		return fmt.Errorf("answer %d, want 202: %s", status, body)
	}
	answered := t.Now()
	for seq := range t.Capacity() {
		t.Sent(seq, sent)
		t.Accepted(seq, answered)
	}
	return nil
}
