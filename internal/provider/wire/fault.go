package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"syscall"

	"peal/internal/netguard"
	"peal/internal/peal"
)

// Codes of calls that came to no answer. Their reasons are ours: an error's own text may name addresses inside the
// operator's network.
const (
	CodeTimeout = "timeout"
	CodeCancel  = "canceled"
	CodeGuard   = "address_refused"
	CodeDNS     = "dns"
	CodeRefused = "connection_refused"
	CodeConnect = "connect"
	CodeTLS     = "tls"
	CodeLost    = "connection_lost"
)

// Fault is the outcome of a call without an answer. Unless it is certain that no byte of the message was written, the
// provider may have taken it.
func Fault(ctx context.Context, err error, maybeWritten bool) peal.Outcome {
	code, reason := Diagnose(ctx, err)
	switch {
	case code == CodeGuard:
		return peal.Outcome{Class: peal.ClassIntegration, Code: code, Reason: reason, Pause: peal.PauseBlocked}
	case maybeWritten:
		return peal.Outcome{Class: peal.ClassUnknown, Code: code, Reason: reason + " after the message may have been written"}
	default:
		return peal.Outcome{Class: peal.ClassTemporary, Code: code, Reason: reason + " before the message was written"}
	}
}

// Diagnose names what ended a call.
func Diagnose(ctx context.Context, err error) (code, reason string) {
	var (
		refused *netguard.Refused
		dns     *net.DNSError
		op      *net.OpError
		timeout net.Error
	)
	switch {
	case errors.As(err, &refused):
		return CodeGuard, "the URL leads to an address that this installation does not call"
	case errors.Is(ctx.Err(), context.Canceled):
		return CodeCancel, "the call was given up"
	case ctx.Err() != nil:
		return CodeTimeout, "no answer came in time"
	case errors.As(err, &dns):
		return CodeDNS, "the provider's name could not be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return CodeRefused, "the connection was refused"
	case isTLS(err):
		return CodeTLS, "no secure connection came about"
	case errors.As(err, &timeout) && timeout.Timeout():
		return CodeTimeout, "no answer came in time"
	case errors.As(err, &op) && op.Op == "dial":
		return CodeConnect, "no connection came about"
	default:
		return CodeLost, "the connection was lost"
	}
}

func isTLS(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		op      *net.OpError
	)
	if errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") { // so crypto/tls names alerts
		return true
	}
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid)
}
