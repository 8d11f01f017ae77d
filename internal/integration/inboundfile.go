package integration

import (
	"context"
	"errors"
	"fmt"
	"io"

	"peal/internal/peal"
	"peal/internal/provider"
)

// Media begins to fetch the file of an inbound message. The context has to live until its body is closed.
func (s *Service) Media(ctx context.Context, in *peal.Integration, m *peal.Inbound) (*provider.Media, error) {
	kind, ok := s.Kind(in.Kind)
	if !ok {
		return nil, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	client, err := kind.Open(in, s.env)
	if err != nil {
		return nil, fmt.Errorf("open a client: %w", err)
	}
	r, ok := client.(provider.MediaReader)
	if !ok {
		client.Close()
		return nil, &provider.Error{Class: peal.ClassPermanent, Code: "not_found", Err: errors.New("a provider of kind " + in.Kind + " gives no files")}
	}
	media, err := r.Media(ctx, m)
	if err != nil {
		client.Close()
		return nil, err
	}
	media.Body = &lastBody{media.Body, client}
	return media, nil
}

// lastBody closes the client whose last answer it is.
type lastBody struct {
	io.ReadCloser
	client provider.Client
}

// Close implements io.Closer.
func (b *lastBody) Close() error {
	err := b.ReadCloser.Close()
	b.client.Close()
	return err
}
