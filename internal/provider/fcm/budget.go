package fcm

import (
	"bytes"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Budget is Google's of collapsible messages: 20 at once to one device, and then one in 3 minutes.
func (c *client) Budget() peal.Limit { return peal.Limit{Rate: 1, Period: 3 * time.Minute, Burst: 20} }

// Within tells the messages that Android collapses: those with a key, be it of an override.
func (c *client) Within(m *provider.Message) bool {
	p := wire.PushOf(&m.Content)
	if p == nil || groupOf(m.Device) != "" {
		return false
	}
	over := p.Overrides.FCM
	return p.CollapseKey != "" || bytes.Contains(over, []byte(`"collapseKey"`)) || bytes.Contains(over, []byte(`"collapse_key"`))
}
