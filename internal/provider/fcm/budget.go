package fcm

import (
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Budget is Google's of collapsible messages: 20 at once to one device, and then one in 3 minutes.
func (c *client) Budget() peal.Limit { return peal.Limit{Rate: 1, Period: 3 * time.Minute, Burst: 20} }

// Within tells the messages that Android collapses.
func (c *client) Within(m *provider.Message) bool {
	p := wire.PushOf(&m.Content)
	return p != nil && p.CollapseKey != "" && groupOf(m.Device) == ""
}
