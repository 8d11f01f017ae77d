package integration

import (
	"context"
	"errors"
	"fmt"

	"peal/internal/peal"
	"peal/internal/provider"
)

// Session asks the provider for the state of an integration's session.
func (s *Service) Session(ctx context.Context, in *peal.Integration) (h provider.Health, err error) {
	err = s.pairing(ctx, in, func(ctx context.Context, p provider.Pairer) (err error) {
		h, err = p.Session(ctx)
		return err
	})
	return h, err
}

// ConnectSession has the provider connect an integration's session. It gives what is to be scanned, if something is.
func (s *Service) ConnectSession(ctx context.Context, in *peal.Integration) (out provider.Pairing, err error) {
	err = s.pairing(ctx, in, func(ctx context.Context, p provider.Pairer) (err error) {
		out, err = p.Connect(ctx)
		return err
	})
	return out, err
}

// SessionQR gives what is to be scanned now.
func (s *Service) SessionQR(ctx context.Context, in *peal.Integration) (out provider.Pairing, err error) {
	err = s.pairing(ctx, in, func(ctx context.Context, p provider.Pairer) (err error) {
		out, err = p.QR(ctx)
		return err
	})
	return out, err
}

// pairing calls the provider of a session.
func (s *Service) pairing(ctx context.Context, in *peal.Integration, call func(context.Context, provider.Pairer) error) error {
	kind, ok := s.Kind(in.Kind)
	if !ok {
		return peal.Errorf(peal.NotFound, "there is no such integration")
	}
	client, err := kind.Open(in, s.env)
	if err != nil {
		return fmt.Errorf("open a client: %w", err)
	}
	defer client.Close()
	p, ok := client.(provider.Pairer)
	if !ok {
		return peal.Errorf(peal.Conflict, "an integration of kind %s has no session", in.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	err = call(ctx, p)
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Class == peal.ClassPermanent {
		return peal.Errorf(peal.Conflict, "the provider does not do it now: %s", e.Error())
	}
	return refusal("id", err)
}
