package track

import (
	"context"

	"peal/internal/peal"
)

// Templates are told what providers say of theirs.
type Templates interface {
	Heard(ctx context.Context, in *peal.Integration, st *peal.TemplateState) error
}

// news are what a webhook says of a template.
type news struct {
	in    *peal.Integration
	state *peal.TemplateState
}

// heard passes on what a webhook says of templates. It is false when that could not be written down: then the webhook is to
// come again, which changes nothing else.
func (f *Folder) heard(ctx context.Context, o *opened) bool {
	if f.Templates == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), foldTime)
	defer cancel()
	for _, n := range o.news {
		if !f.noted(ctx, o, "news of a template", func() error { return f.Templates.Heard(ctx, n.in, n.state) }) {
			return false
		}
	}
	return true
}
