package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"peal/api"

	"github.com/alecthomas/kong"
)

// usageError is a mistake in what the user typed or set; the exit code is 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// usage marks err as a mistake in the usage.
func usage(err error) error { return &usageError{err} }

// errReported ends a command whose failure has been printed in full already.
var errReported = errors.New("reported")

// report prints err once: a line that begins with "peal:", then details and a hint on lines of their own.
func report(w io.Writer, err error) {
	if errors.Is(err, errReported) {
		return
	}
	var b strings.Builder
	problem, isProblem := errors.AsType[*api.Problem](err)
	if isProblem {
		b.WriteString("peal: " + describe(problem) + "\n")
		for _, f := range problem.Errors {
			fmt.Fprintf(&b, "  %s: %s\n", clean(f.Path), clean(f.Message))
		}
		if problem.RequestID != "" && problem.Status >= http.StatusInternalServerError {
			fmt.Fprintf(&b, "  request_id: %s\n", clean(problem.RequestID))
		}
	} else {
		first, rest, _ := strings.Cut(err.Error(), "\n")
		b.WriteString("peal: " + clean(first) + "\n")
		for line := range strings.Lines(rest) {
			b.WriteString("  " + clean(strings.TrimRight(line, "\n")) + "\n")
		}
	}
	if h := hint(err, problem); h != "" {
		b.WriteString("hint: " + h + "\n")
	}
	_, _ = io.WriteString(w, b.String()) // stderr is the last resort
}

// describe is a problem in one line, without its fields.
func describe(p *api.Problem) string {
	s := p.Title
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Code != "" {
		s += " (" + p.Code + ")"
	}
	return clean(s)
}

// hint says what the user can do about err, where that is known.
func hint(err error, p *api.Problem) string {
	if p != nil {
		switch p.Code {
		case api.CodeUnauthorized:
			return "give the API key with PEAL_API_KEY or --api-key"
		case "":
			return "that was not Peal's answer; is --url (PEAL_URL) right?"
		}
		return ""
	}
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		return `see "` + helpOf(parse.Context) + `"`
	}
	_, noHost := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return `is the server running? Start one with "peal dev" or "peal serve", or name yours with --url or PEAL_URL`
	case noHost:
		return "is --url (PEAL_URL) right?"
	case errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time; see --timeout"
	}
	return ""
}

// helpOf is the command line that explains the command the user tried.
func helpOf(ctx *kong.Context) string {
	if ctx == nil || ctx.Selected() == nil {
		return "peal --help"
	}
	return ctx.Selected().FullPath() + " --help"
}
