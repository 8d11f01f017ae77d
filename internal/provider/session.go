package provider

import "context"

// Pairer is a Client whose account is a session: a phone's linked device, which is paired by scanning a QR code.
// Its calls fail with an *Error; class permanent says that the integration lacks the credentials for them.
type Pairer interface {
	// Session asks for the session's state.
	Session(ctx context.Context) (Health, error)
	// Connect has the session connect, and gives its state with what is to be scanned, if something is.
	Connect(ctx context.Context) (Pairing, error)
	// QR gives what is to be scanned now; it is another one every few seconds.
	QR(ctx context.Context) (Pairing, error)
}

// Pairing is how far the pairing of a session has come.
type Pairing struct {
	Health

	QR string // what the QR code says; empty: nothing is to be scanned. Whoever has it can take the session
}
