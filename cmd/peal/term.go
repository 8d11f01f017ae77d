package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-isatty"
)

// term is what a command talks to.
type term struct {
	in       io.Reader
	out, err io.Writer
	inTTY    bool
	errTTY   bool
	now      func() time.Time
}

func newTerm(in io.Reader, out, err io.Writer) *term {
	return &term{in: in, out: out, err: err, inTTY: isTTY(in), errTTY: isTTY(err), now: time.Now}
}

func isTTY(v any) bool {
	f, ok := v.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// printf writes to the output.
func (t *term) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(t.out, format, args...)
	return err
}

// notef writes to the error stream, where what is not the result goes; nobody is told when that fails.
func (t *term) notef(format string, args ...any) { _, _ = fmt.Fprintf(t.err, format, args...) }

// json writes v as one indented document.
func (t *term) json(v any) error {
	enc := json.NewEncoder(t.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// jsonLine writes v as one line, for streams.
func (t *term) jsonLine(v any) error {
	enc := json.NewEncoder(t.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows in aligned columns below a head. The cells are cleaned.
func (t *term) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if len(head) > 0 {
		writeRow(w, head)
	}
	for _, row := range rows {
		writeRow(w, row)
	}
	return w.Flush()
}

// writeRow writes one row; a tabwriter keeps its error for Flush.
func writeRow(w io.Writer, cells []string) {
	for i, cell := range cells {
		if i > 0 {
			_, _ = io.WriteString(w, "\t")
		}
		_, _ = io.WriteString(w, clean(cell))
	}
	_, _ = io.WriteString(w, "\n")
}

// facts writes names with their values, one to a line, leaving out empty values.
func (t *term) facts(pairs ...string) error {
	var rows [][]string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			rows = append(rows, []string{pairs[i], pairs[i+1]})
		}
	}
	return t.table(nil, rows)
}

// confirm asks question, on a terminal; elsewhere nobody can answer, so it is refused.
func (t *term) confirm(ctx context.Context, question string) error {
	if !t.inTTY || !t.errTTY {
		return usagef("%s: there is no terminal to ask on; add --yes", question)
	}
	t.notef("%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() { // ends with the answer, or with the process
		line, _ := bufio.NewReader(t.in).ReadString('\n')
		answers <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-answers:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
	}
	return errors.New("nothing was done")
}

// clean makes text from elsewhere safe to print: control characters would move the cursor or break the table.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '\ufffd'
		}
		return r
	}, s)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
