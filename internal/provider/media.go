package provider

import (
	"context"
	"io"
	"time"

	"peal/internal/peal"
)

// MediaKind is a Kind whose provider keeps files that messages then name by their id. Its clients are Uploaders.
type MediaKind interface {
	Kind
	// MaxFile is how large a file of that type may be, in bytes; 0: the provider takes none of it.
	MaxFile(mediaType string) int64
	// MediaTypes are those that it takes.
	MediaTypes() []string
	// MediaScope is whose the files are: under another account's settings their ids are not known.
	MediaScope(in *peal.Integration) string
}

// File is a file to upload.
type File struct {
	Type string // such as image/png
	Name string
	Size int64
	Data io.Reader
}

// Uploaded is a file that the provider keeps.
type Uploaded struct {
	ID        string
	ExpiresAt time.Time
}

// Uploader is a Client that uploads files.
type Uploader interface {
	// Upload gives the provider a file, once. It fails with an *Error.
	Upload(ctx context.Context, f *File) (Uploaded, error)
}

// Reader is a Client that tells people that their messages were read.
type Reader interface {
	// MarkRead marks a message that came in, by the provider's id, as read; with typing whoever wrote it sees for a while that
	// an answer is being written. It fails with an *Error.
	MarkRead(ctx context.Context, messageID string, typing bool) error
}
