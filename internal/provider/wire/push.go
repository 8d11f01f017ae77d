package wire

import "peal/api"

// PushOf is the push that a content is; nil when it is none. A text is short for one with that body.
func PushOf(c *api.Content) *api.Push {
	switch {
	case c.Push != nil:
		return c.Push
	case c.Text != nil:
		return &api.Push{Body: *c.Text}
	default:
		return nil
	}
}
