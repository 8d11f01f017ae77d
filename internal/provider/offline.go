package provider

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Offline is what a client has that is not for calls: it is only made to see whether that can be done, or to show what it
// would send.
func Offline() Env {
	return Env{Transport: noCalls{}, Dial: noDial, Tokens: noTokens{}}
}

var errOffline = errors.New("this client is not for calls")

// noCalls is a transport that carries nothing.
type noCalls struct{}

// RoundTrip makes no call.
func (noCalls) RoundTrip(*http.Request) (*http.Response, error) { return nil, errOffline }

func noDial(context.Context, string, string) (net.Conn, error) { return nil, errOffline }

// noTokens are shared with nobody.
type noTokens struct{}

// SwapToken gives none.
func (noTokens) SwapToken(context.Context, string, time.Time, Token) (Token, error) {
	return Token{}, errOffline
}
