package store

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// dialect is where the databases differ. A statement is written once, in what both understand, with ? and ?N for its
// arguments; the dialect has the few words that they do not share.
type dialect struct {
	bulk      bool                 // hot writes go as statements for many rows
	anyOf     string               // after a column: it is one of a list, which is one argument
	forUpdate string               // after a SELECT: nobody else may change these rows until the transaction ends
	list      func([]string) any   // a list of texts as one argument
	text      func(string) string  // a statement as the database wants it
	args      func([]any) []any    // arguments as it wants them
	unique    func(err error) bool // whether a unique index refused a row
	away      func(err error) bool // whether the database could not be asked at all
}

func sqliteDialect() *dialect {
	return &dialect{
		anyOf:  " IN (SELECT value FROM json_each(?))",
		list:   func(values []string) any { return jsonList(values) },
		text:   func(query string) string { return query },
		args:   func(args []any) []any { return args },
		unique: func(err error) bool { return err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed") },
		away:   func(error) bool { return false },
	}
}

func postgresDialect() *dialect {
	known := &rebound{}
	return &dialect{
		bulk:      true,
		anyOf:     " = ANY(?)",
		forUpdate: " FOR UPDATE",
		list:      func(values []string) any { return cleanAll(values) },
		text:      known.text,
		args:      cleanArgs,
		unique:    func(err error) bool { return pgCode(err) == "23505" },
		away:      pgAway,
	}
}

// rebound keeps the statements that were brought into PostgreSQL's form: there are few, and they come again and again.
type rebound struct{ texts sync.Map }

func (r *rebound) text(query string) string {
	if t, ok := r.texts.Load(query); ok {
		return t.(string) //nolint:forcetypeassert // nothing else is put in
	}
	t := rebind(query)
	r.texts.Store(query, t)
	return t
}

// indexHint is SQLite's word for the index that a statement is to use. PostgreSQL chooses for itself.
var indexHint = regexp.MustCompile(` INDEXED BY \w+`)

// rebind turns ?N into $N and each ? into the number after the largest so far, as SQLite counts. No statement has a
// question mark in a text of its own.
func rebind(query string) string {
	query = indexHint.ReplaceAllString(query, "")
	var b strings.Builder
	largest := 0
	for {
		i := strings.IndexByte(query, '?')
		if i < 0 {
			b.WriteString(query)
			return b.String()
		}
		b.WriteString(query[:i])
		query = query[i+1:]
		digits := len(query) - len(strings.TrimLeft(query, "0123456789"))
		n, err := strconv.Atoi(query[:digits])
		if err != nil {
			n = largest + 1
		}
		largest = max(largest, n)
		b.WriteString("$" + strconv.Itoa(n))
		query = query[digits:]
	}
}

// clean makes a text one that PostgreSQL takes: what providers and callers tell may hold a zero byte, or bytes that
// are no UTF-8, and a row that can never be written would be tried for ever.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func cleanAll(values []string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = clean(v)
	}
	return all
}

func cleanArgs(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok {
			if c := clean(s); c != s {
				args[i] = c
			}
		}
	}
	return args
}

// pgCode is the SQLSTATE of PostgreSQL's answer; empty where it did not answer.
func pgCode(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code
	}
	return ""
}
