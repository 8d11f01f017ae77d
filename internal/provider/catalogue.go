package provider

import (
	"context"

	"peal/api"
	"peal/internal/peal"
)

// Templater is a Kind whose accounts keep a catalogue of templates. Its clients are Cataloguers.
type Templater interface {
	Kind
	// Catalogue names the catalogue that an integration's templates are in, which others may share. Without one it says
	// what is missing to it.
	Catalogue(in *peal.Integration) (name, missing string)
	// Shape reads what messages of a template have to bring.
	Shape(t *peal.Template) Shape
}

// Shape is what messages of a template have to bring. It is held in memory for all templates that there are.
type Shape interface {
	// Check says what is wrong with a message's parameters; nil when nothing is, or when it cannot tell. Paths are relative
	// to the content.
	Check(t *api.Template) []peal.Field
}

// Cataloguer is a Client of an account that keeps a catalogue.
type Cataloguer interface {
	// Templates gives a page of it, the first for an empty cursor. It fails with an *Error.
	Templates(ctx context.Context, cursor string) (TemplatePage, error)
}

// TemplatePage is a page of a catalogue.
type TemplatePage struct {
	Templates []peal.Template
	Next      string // the cursor of the next page; empty: there is none
}
