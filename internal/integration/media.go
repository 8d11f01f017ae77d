package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

// MediaRecords is where it is noted what providers keep.
type MediaRecords interface {
	Media(ctx context.Context, m peal.Media, until time.Time) (*peal.Media, error)
	PutMedia(ctx context.Context, m peal.Media) error
}

// mediaLeast is how much longer the provider must keep a file for its id to be given out again.
const mediaLeast = 24 * time.Hour

// KeepMediaIn names where it is noted what was uploaded.
func (s *Service) KeepMediaIn(records MediaRecords) { s.media = records }

// Upload is a file for an integration's provider.
type Upload struct {
	Type   string
	Name   string
	Size   int64
	SHA256 string
	Data   io.Reader
	Fresh  bool // upload it again, though the provider should have it
}

// MaxFile is how large a file of that type may be for the integration's provider. It fails with Invalid where it takes none.
func (s *Service) MaxFile(in *peal.Integration, mediaType string) (int64, error) {
	kind, _ := s.Kind(in.Kind)
	m, ok := kind.(provider.MediaKind)
	if !ok {
		return 0, invalid("id", "a provider of kind %s keeps no files; give the url of the file in the content", in.Kind)
	}
	if most := m.MaxFile(mediaType); most > 0 {
		return most, nil
	}
	return 0, invalid("type", "%q is not taken; the types are %s", mediaType, strings.Join(m.MediaTypes(), ", "))
}

// UploadMedia gives the provider a file, unless it has it already; reused tells that.
func (s *Service) UploadMedia(ctx context.Context, in *peal.Integration, u *Upload) (m peal.Media, reused bool, err error) {
	kind, _ := s.Kind(in.Kind)
	mk, ok := kind.(provider.MediaKind)
	if !ok || s.media == nil {
		return m, false, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	m = peal.Media{TenantID: in.TenantID, IntegrationID: in.ID, Scope: mk.MediaScope(in), SHA256: u.SHA256, Type: u.Type}
	if !u.Fresh {
		known, err := s.media.Media(ctx, m, s.now().Add(mediaLeast))
		if err != nil {
			return m, false, err
		}
		if known != nil {
			return *known, true, nil
		}
	}
	client, err := kind.Open(in, s.env)
	if err != nil {
		return m, false, fmt.Errorf("open a client: %w", err)
	}
	defer client.Close()
	up, ok := client.(provider.Uploader)
	if !ok {
		return m, false, invalid("id", "a provider of kind %s keeps no files; give the url of the file in the content", in.Kind)
	}
	got, err := up.Upload(ctx, &provider.File{Type: u.Type, Name: u.Name, Size: u.Size, Data: u.Data})
	if err != nil {
		return m, false, refusal("file", err)
	}
	m.ID, m.Size, m.ExpiresAt = got.ID, u.Size, got.ExpiresAt
	return m, false, s.media.PutMedia(ctx, m)
}

// MarkRead tells whoever wrote a message that it was read, and with typing that an answer is being written.
func (s *Service) MarkRead(ctx context.Context, in *peal.Integration, messageID string, typing bool) error {
	kind, ok := s.Kind(in.Kind)
	if !ok {
		return peal.Errorf(peal.NotFound, "there is no such integration")
	}
	client, err := kind.Open(in, s.env)
	if err != nil {
		return fmt.Errorf("open a client: %w", err)
	}
	defer client.Close()
	r, ok := client.(provider.Reader)
	if !ok {
		return invalid("id", "a provider of kind %s cannot be told that a message was read", in.Kind)
	}
	if err := r.MarkRead(ctx, messageID, typing); err != nil {
		return refusal("message_id", err)
	}
	return nil
}

// refusal is what a provider's error is to whoever asked for the call: the field that it does not take, the integration that
// is to be mended, or a time to come again.
func refusal(field string, err error) error {
	var e *provider.Error
	if !errors.As(err, &e) {
		return err
	}
	said := "the provider says " + e.Error()
	switch e.Class {
	case peal.ClassPermanent, peal.ClassGone:
		return invalid(field, "%s", said)
	case peal.ClassIntegration:
		return peal.Errorf(peal.Conflict, "%s; mend the integration", said)
	default:
		return &peal.Error{Kind: peal.ProviderFailed, Message: said, RetryAfter: e.RetryAfter}
	}
}
