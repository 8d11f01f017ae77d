package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/integration"
	"peal/internal/peal"
)

const (
	maxUploads = 32 // at once: each has a file on disk
	maxUpload  = 128 << 20
	maxForm    = 64 << 10
	// A slow caller has as much time for the file as the provider gets for it.
	uploadTime = 5 * time.Minute
)

func (s *Server) mediaRoutes() {
	s.mux.HandleFunc("POST /v1/integrations/{id}/media", s.uploadMedia)
	o := op("upload-media", http.MethodPost, "/v1/integrations/{id}/media", "Integrations", "Upload a file once, to send it by its id")
	o.Description = "The body is the file, with its Content-Type; or a form with the part file. A file that the provider still has is not uploaded again. For whatsapp_cloud."
	reg := s.api.OpenAPI().Components.Schemas
	binary := &huma.Schema{Type: "string", Format: "binary"}
	o.Parameters = []*huma.Param{
		{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}},
		{Name: "fresh", In: "query", Schema: &huma.Schema{Type: "boolean"}, Description: "true: upload it even if the provider should have it"},
	}
	o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"*/*":                 {Schema: binary},
		"multipart/form-data": {Schema: &huma.Schema{Type: "object", Required: []string{"file"}, Properties: map[string]*huma.Schema{"file": binary, "type": {Type: "string"}}}},
	}}
	o.Responses = map[string]*huma.Response{
		"200":     {Description: "The file is there", Content: map[string]*huma.MediaType{"application/json": {Schema: reg.Schema(reflect.TypeFor[api.UploadedMedia](), true, "UploadedMedia")}}},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{api.ProblemType: {Schema: reg.Schema(reflect.TypeFor[api.Problem](), true, "Problem")}}},
	}
	s.api.OpenAPI().AddOperation(&o)
	read := op("mark-read", http.MethodPost, "/v1/integrations/{id}/read", "Integrations", "Mark a message that came in as read, and show that an answer is being written")
	read.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, read, s.markRead)
	answer := op("read-inbound", http.MethodPost, "/v1/inbound/{id}/read", "Inbound", "Mark a message that somebody wrote as read, and show that an answer is being written")
	answer.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, answer, s.readInbound)
}

type readInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body api.ReadRequest
}

func (s *Server) markRead(ctx context.Context, in *readInput) (*struct{}, error) {
	tenantID, err := s.tenant(ctx, api.ScopeSend)
	if err != nil {
		return nil, err
	}
	found := s.cfg.Integrations.Find(tenantID, in.ID)
	if found == nil {
		return nil, s.fail(ctx, peal.Errorf(peal.NotFound, "there is no such integration"))
	}
	if err := s.cfg.Integrations.MarkRead(ctx, found, in.Body.MessageID, in.Body.Typing); err != nil {
		return nil, s.fail(ctx, err)
	}
	return nil, nil //nolint:nilnil // no content
}

type readInboundInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body api.InboundReadRequest
}

func (s *Server) readInbound(ctx context.Context, in *readInboundInput) (*struct{}, error) {
	tenantID, err := s.tenant(ctx, api.ScopeSend)
	if err != nil {
		return nil, err
	}
	m, err := s.cfg.Inbound.InboundMessage(ctx, tenantID, strings.ToLower(in.ID))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return s.markRead(ctx, &readInput{ID: m.IntegrationID, Body: api.ReadRequest{MessageID: m.MessageID, Typing: in.Body.Typing}})
}

// isUpload tells the one route below /v1 whose body is not JSON.
func isUpload(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/integrations/") && path.Base(r.URL.Path) == "media"
}

// uploadMedia takes a file in and hands it to the provider. It goes to disk first, since whether the provider has it already
// is known at its end.
func (s *Server) uploadMedia(w http.ResponseWriter, r *http.Request) {
	out, err := s.upload(w, r)
	if err != nil {
		w.Header().Set("Connection", "close") // there may be more of the body than anybody wants to read
		s.writeProblem(w, r, err)
		return
	}
	b, err := json.Marshal(out)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	w.Header()["Content-Type"] = jsonType
	write(w, b)
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) (*api.UploadedMedia, error) {
	tenantID, err := s.tenant(r.Context(), api.ScopeSend)
	if err != nil {
		return nil, err
	}
	in := s.cfg.Integrations.Find(tenantID, r.PathValue("id"))
	if in == nil {
		return nil, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	fresh := r.URL.Query().Get("fresh")
	if fresh != "" && fresh != "true" && fresh != "false" {
		return nil, fieldError("fresh", "give true or false")
	}
	if err := s.uploads.enter(tenantID, 1); err != nil {
		return nil, err
	}
	defer s.uploads.leave(tenantID, 1)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(uploadTime))
	_ = control.SetWriteDeadline(time.Now().Add(2*uploadTime + time.Minute))

	r.Body = http.MaxBytesReader(w, r.Body, maxUpload) // of whatever type, and whatever else is in the form
	part, mediaType, name, err := filePart(r)
	if err != nil {
		return nil, err
	}
	most, err := s.cfg.Integrations.MaxFile(in, mediaType)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "peal-upload-*")
	if err != nil {
		return nil, fmt.Errorf("make a file for the upload: %w", err)
	}
	defer func() { _, _ = file.Close(), os.Remove(file.Name()) }()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(part, most+1))
	switch {
	case err != nil:
		return nil, newProblem(api.CodeInvalidRequest, "the file ended before it was complete")
	case size > most:
		return nil, newProblem(api.CodeBodyTooLarge, fmt.Sprintf("a file of type %s may have %d bytes", mediaType, most))
	case size == 0:
		return nil, fieldError("file", "it is empty")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the upload again: %w", err)
	}
	m, reused, err := s.cfg.Integrations.UploadMedia(r.Context(), in, &integration.Upload{
		Type: mediaType, Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)), Data: file, Fresh: fresh == "true",
	})
	if err != nil {
		return nil, err
	}
	return &api.UploadedMedia{
		MediaID: m.ID, Type: m.Type, Size: m.Size, SHA256: m.SHA256, ExpiresAt: m.ExpiresAt.UTC().Truncate(time.Second), Reused: reused,
	}, nil
}

// filePart is the file of a request: its body, or the part of a form that is called file; the form's type must come before it.
func filePart(r *http.Request) (body io.Reader, mediaType, name string, err error) {
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != "multipart/form-data" {
		if mediaType == "" || mediaType == "application/x-www-form-urlencoded" || mediaType == "application/octet-stream" {
			return nil, "", "", fieldError("Content-Type", "say what the file is, such as image/png")
		}
		return r.Body, mediaType, r.URL.Query().Get("filename"), nil
	}
	form := multipart.NewReader(r.Body, params["boundary"])
	given := ""
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, "", "", fieldError("file", "the form has no part of that name")
		}
		if err != nil {
			return nil, "", "", newProblem(api.CodeInvalidRequest, "the form cannot be read")
		}
		switch part.FormName() {
		case "type":
			b, err := io.ReadAll(io.LimitReader(part, maxForm))
			if err != nil {
				return nil, "", "", newProblem(api.CodeInvalidRequest, "the form cannot be read")
			}
			given = strings.TrimSpace(string(b))
		case "file":
			if given == "" {
				given = part.Header.Get("Content-Type")
			}
			mediaType, _, _ = mime.ParseMediaType(given)
			return part, mediaType, part.FileName(), nil
		}
	}
}

func fieldError(path, mend string) error {
	return newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: path, Code: "invalid", Message: mend})
}
