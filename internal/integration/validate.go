package integration

import (
	"context"
	"fmt"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// CallWith names what Validate's clients call with.
func (s *Service) CallWith(env provider.Env) { s.env = env }

// Serves tells whether a device goes over the integration.
func (s *Service) Serves(in *peal.Integration, d *peal.Device) bool {
	found := provider.ForDevice(s.OfTenant(in.TenantID), s.Kind, d)
	return found != nil && found.ID == in.ID
}

// Public is what clients of an integration have to know; nil where they need to know nothing.
func (s *Service) Public(in *peal.Integration) map[string]string {
	kind, _ := s.Kind(in.Kind)
	if p, ok := kind.(provider.Publisher); ok {
		return p.Public(in)
	}
	return nil
}

// VerifyToken is what the provider is to be given beside the webhook's address; empty where it asks for none.
func (s *Service) VerifyToken(in *peal.Integration) string {
	kind, _ := s.Kind(in.Kind)
	if h, ok := kind.(provider.Handshaker); ok {
		return h.VerifyToken(in)
	}
	return ""
}

// Warning says what is to be done lest the integration stops working; empty: nothing.
func (s *Service) Warning(in *peal.Integration) string {
	kind, _ := s.Kind(in.Kind)
	if w, ok := kind.(provider.Warner); ok {
		return w.Warning(in, s.now())
	}
	return ""
}

// NumberWarning says what does not fit between an integration and what is known of its number; empty: nothing.
func (s *Service) NumberWarning(in *peal.Integration, n *peal.NumberState) string {
	kind, _ := s.Kind(in.Kind)
	if k, ok := kind.(provider.NumberKind); ok {
		return k.NumberWarning(in, n)
	}
	return ""
}

// Validate asks the provider whether it would take a content for a device, and show it to nobody.
func (s *Service) Validate(ctx context.Context, in *peal.Integration, d *peal.Device, c *api.Content) (o peal.Outcome, err error) {
	kind, ok := s.Kind(in.Kind)
	if !ok {
		return o, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	client, err := kind.Open(in, s.env)
	if err != nil {
		return o, fmt.Errorf("open a client: %w", err)
	}
	defer client.Close()
	v, ok := client.(provider.Validator)
	if !ok {
		return o, invalid("validate_only", "a provider of kind %s cannot be asked without sending; leave it out, and the device is sent a test", in.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	return v.Validate(ctx, &provider.Message{DeliveryID: peal.NewID(), To: d.ID, Content: *c, Device: d}), nil
}
