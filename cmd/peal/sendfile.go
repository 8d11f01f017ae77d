package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode"

	"peal/api"
	"peal/client"
)

const (
	batchItems = 1000
	// batchBytes keeps a batch below the server's default limit of 8 MiB.
	batchBytes = 6 << 20
	// maxShown bounds how many refusals are printed one by one.
	maxShown = 20
)

// sendFile sends the notifications of a file in batches. Every refused item is told on stderr; the others go out.
// A mistake in the JSON stops it before the batch that has it.
func sendFile(ctx context.Context, t *term, cl *client.Client, name string, asJSON bool) error {
	in := t.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return usagef("--file: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	s := fileSender{t: t, cl: cl, json: asJSON}
	items, err := newItems(in)
	for err == nil {
		var batch []api.NotificationRequest
		var last error
		batch, last = items.batch()
		if len(batch) > 0 && (last == nil || errors.Is(last, io.EOF)) { // nothing of a batch with a mistake in it
			err = s.send(ctx, batch)
		}
		if err == nil {
			err = last
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	s.finish(err)
	switch {
	case err != nil:
		return err
	case s.refused > 0:
		return errReported
	}
	return nil
}

// items reads the notifications of a file one by one: an array's, or one object after the other.
type items struct {
	dec   *json.Decoder
	array bool
	count int
	held  *api.NotificationRequest // read, but too large for the batch before
	size  int64                    // of held, in bytes
}

func newItems(r io.Reader) (*items, error) {
	buffered := bufio.NewReader(r)
	var first rune
	for {
		c, _, err := buffered.ReadRune()
		if errors.Is(err, io.EOF) {
			return nil, usagef("--file: there is nothing in it")
		}
		if err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
		if !unicode.IsSpace(c) && c != '\ufeff' {
			first = c
			break
		}
	}
	if err := buffered.UnreadRune(); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	dec := json.NewDecoder(buffered)
	dec.DisallowUnknownFields()
	if first == '[' {
		if _, err := dec.Token(); err != nil {
			return nil, usagef("--file: %w", err)
		}
	}
	return &items{dec: dec, array: first == '['}, nil
}

// next reads one notification; io.EOF after the last.
func (f *items) next() (*api.NotificationRequest, int64, error) {
	if f.held != nil {
		item, size := f.held, f.size
		f.held = nil
		return item, size, nil
	}
	if f.array && !f.dec.More() {
		if _, err := f.dec.Token(); err != nil { // the closing bracket
			return nil, 0, usagef("--file: after notification %d: %w", f.count, err)
		}
		return nil, 0, io.EOF
	}
	start := f.dec.InputOffset()
	item := &api.NotificationRequest{}
	if err := f.dec.Decode(item); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, 0, io.EOF
		}
		return nil, 0, usagef("--file: notification %d: %w", f.count+1, err)
	}
	f.count++
	return item, f.dec.InputOffset() - start, nil
}

// batch reads as many notifications as make one batch, with the error that ended it.
func (f *items) batch() ([]api.NotificationRequest, error) {
	var batch []api.NotificationRequest
	var total int64
	for len(batch) < batchItems {
		item, size, err := f.next()
		if err != nil {
			return batch, err
		}
		if total += size; total > batchBytes && len(batch) > 0 {
			f.held, f.size = item, size
			return batch, nil
		}
		batch = append(batch, *item)
	}
	return batch, nil
}

// fileSender sends batches and keeps count.
type fileSender struct {
	t                           *term
	cl                          *client.Client
	json                        bool
	accepted, replayed, refused int
	done                        int // items answered
}

func (s *fileSender) send(ctx context.Context, batch []api.NotificationRequest) error {
	resp, err := s.cl.SendBatch(ctx, batch)
	if err != nil {
		return err
	}
	if len(resp.Results) != len(batch) {
		return fmt.Errorf("the server answered %d of the %d notifications from number %d on", len(resp.Results), len(batch), s.done+1)
	}
	for i, r := range resp.Results {
		if s.json {
			if err := s.t.jsonLine(r); err != nil {
				return err
			}
		}
		s.count(s.done+i+1, &r)
	}
	s.done += len(batch)
	s.progress(false)
	return nil
}

func (s *fileSender) count(number int, r *api.BatchResult) {
	switch {
	case r.Error != nil:
		s.refused++
		if s.refused <= maxShown {
			s.clearLine()
			s.t.notef("notification %d: %s\n", number, describe(r.Error))
			for _, f := range r.Error.Errors {
				s.t.notef("  %s: %s\n", clean(f.Path), clean(f.Message))
			}
		}
		return
	case r.Replayed:
		s.replayed++
	}
	s.accepted++
}

// progress shows the state in one line that is written over, on a terminal; elsewhere only the last.
func (s *fileSender) progress(last bool) {
	if !last && !s.t.errTTY {
		return
	}
	s.clearLine()
	s.t.notef("%d accepted", s.accepted)
	if s.replayed > 0 {
		s.t.notef(" (%d of them earlier)", s.replayed)
	}
	s.t.notef(", %d refused", s.refused)
	if last {
		s.t.notef("\n")
	}
}

func (s *fileSender) clearLine() {
	if s.t.errTTY {
		s.t.notef("\r\x1b[K")
	}
}

// finish prints the last state; after an error it says where to go on.
func (s *fileSender) finish(err error) {
	if s.refused > maxShown {
		s.clearLine()
		s.t.notef("… and %d more refused\n", s.refused-maxShown)
	}
	if err == nil || s.done > 0 {
		s.progress(true)
	}
	if err != nil && s.done > 0 {
		s.t.notef("stopped after notification %d\n", s.done)
	}
}
