package api

import "time"

// UploadedMedia answers an upload: contents name the file by its id from then on.
type UploadedMedia struct {
	MediaID   string    `json:"media_id" doc:"For media_id of a content"`
	Type      string    `json:"type" example:"image/png"`
	Size      int64     `json:"size" doc:"Bytes"`
	SHA256    string    `json:"sha256" doc:"In hexadecimal"`
	ExpiresAt time.Time `json:"expires_at" doc:"When the provider forgets it"`
	Reused    bool      `json:"reused,omitempty" doc:"The same file had been uploaded before; nothing was uploaded now"`
}

// ReadRequest is the body of POST /v1/integrations/{id}/read.
type ReadRequest struct {
	MessageID string `json:"message_id" minLength:"1" maxLength:"256" doc:"The provider's id of the message that came in" example:"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI="`
	Typing    bool   `json:"typing,omitempty" doc:"Also show that an answer is being written: for 25 seconds, or until it is there"`
}

// InboundReadRequest is the body of POST /v1/inbound/{id}/read.
type InboundReadRequest struct {
	Typing bool `json:"typing,omitempty" doc:"Also show that an answer is being written: for 25 seconds, or until it is there"`
}
