package provider

import (
	"context"

	"peal/internal/peal"
)

// Numbered is a Client whose provider tells of the number that the account sends from. To ask costs some of a small quota.
type Numbered interface {
	// Number asks for its state. It fails with an *Error; class permanent says that there is no asking.
	Number(ctx context.Context) (peal.NumberState, error)
}

// NumberKind is a Kind whose clients are Numbered.
type NumberKind interface {
	Kind
	// NumberWarning says what does not fit between an integration and what is known of its number; empty: nothing.
	NumberWarning(in *peal.Integration, n *peal.NumberState) string
}
