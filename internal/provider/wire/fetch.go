package wire

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"peal/internal/peal"
	"peal/internal/provider"
)

// Fetch begins to fetch a file. Its type is the one that the answer names, or the one that is known.
func Fetch(ctx context.Context, transport http.RoundTripper, req *http.Request, known string) (*provider.Media, error) {
	res, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		code, reason := Diagnose(ctx, err)
		return nil, &provider.Error{Class: peal.ClassTemporary, Code: code, Err: errors.New(reason)}
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close() // nothing is read of it
		class := peal.ClassTemporary
		if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
			class = peal.ClassPermanent
		}
		return nil, &provider.Error{Class: class, Code: "http_" + strconv.Itoa(res.StatusCode), Err: errors.New("the file's address answered " + StatusText(res.StatusCode))}
	}
	kind := known
	if kind == "" {
		kind = res.Header.Get("Content-Type")
	}
	return &provider.Media{Body: res.Body, Type: kind, Size: res.ContentLength}, nil
}
