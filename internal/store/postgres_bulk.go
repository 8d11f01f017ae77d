package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/internal/pipeline"
)

// runTogether runs the writes of the hot paths: those of one kind as one.
func (t *tx) runTogether(batch []*op) error {
	var byKind [kinds][]*op
	for _, o := range batch {
		byKind[o.kind] = append(byKind[o.kind], o)
	}
	for k := kindAny + 1; k < kinds; k++ {
		if len(byKind[k]) == 0 {
			continue
		}
		if err := t.runKind(k, byKind[k]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) runKind(k kind, ops []*op) error {
	switch k {
	case kindAccept:
		return wrap("accept", acceptTogether(t, calls[*acceptCall](ops)))
	case kindClaim:
		return wrap("claim", claimTogether(t, calls[*claimCall](ops)))
	case kindRecord:
		return wrap("record", recordTogether(t, calls[*recordCall](ops)))
	case kindExpire:
		return wrap("expire", expireTogether(t, calls[*expireCall](ops)))
	case kindChecks:
		return wrap("move look-up", checksTogether(t, calls[[]pipeline.Unkeyed](ops)))
	case kindFold:
		return wrap("fold", foldTogether(t, calls[*foldCall](ops)))
	default:
		return fmt.Errorf("no write is of kind %d", k)
	}
}

func calls[T any](ops []*op) []T {
	return column(ops, func(o *op) T { return o.call.(T) }) //nolint:forcetypeassert // a kind has one type
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// column is one field of many rows: a statement takes each as an array.
func column[R, T any](rows []R, f func(R) T) []T {
	all := make([]T, len(rows))
	for i, r := range rows {
		all[i] = f(r)
	}
	return all
}

// optText is text for a column of many: nil for none.
func optText[T ~string | ~[]byte](s T) *string {
	if len(s) == 0 {
		return nil
	}
	v := clean(string(s))
	return &v
}

// optMicros is micros for a column of many: nil for none.
func optMicros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	v := t.UnixMicro()
	return &v
}

// one is a flag for a column of many: 1 or nil.
func oneOrNil(is bool) *int16 {
	if !is {
		return nil
	}
	v := int16(1)
	return &v
}

// send sends statements in one go, and reads their answers as the batch says.
func (t *tx) send(b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return t.conn.Raw(func(c any) error {
		return pgxConn(c).SendBatch(t.ctx, b).Close()
	})
}

// scanAll reads the rows of a batch's answer, each with a number in front that tells whose it is.
func scanAll[T any](scan func(scanner, *T) error, take func(n int, v *T)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			var n int
			var v T
			if err := scan(numberedRow{rows, &n}, &v); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			take(n, &v)
		}
		return rows.Err()
	}
}

// numberedRow reads the number first.
type numberedRow struct {
	row scanner
	n   *int
}

// Scan reads the columns after the number.
func (r numberedRow) Scan(dest ...any) error { return r.row.Scan(append([]any{r.n}, dest...)...) }

// span is the smallest and largest of ids: said beside the list it tells the database which partitions it need not
// look at.
func span(ids []string) (from, to string) {
	for i, id := range ids {
		if i == 0 || id < from {
			from = id
		}
		if id > to {
			to = id
		}
	}
	return from, to
}

// rounds puts items into rounds, each with any one key at most once: what happens to the same row twice happens one
// after the other.
func rounds[T any, K comparable](items []T, keys func(T) []K) [][]T {
	var all [][]T
	last := map[K]int{} // the round after the latest with this key
	for _, item := range items {
		r := 0
		for _, k := range keys(item) {
			r = max(r, last[k])
		}
		for _, k := range keys(item) {
			last[k] = r + 1
		}
		if r == len(all) {
			all = append(all, nil)
		}
		all[r] = append(all[r], item)
	}
	return all
}

// sharedLock and ownLock are PostgreSQL's locks for evidence that looks for its row. Who writes a provider's id into a
// row shares the integration's lock, then looks for evidence that was parked under it; who parks evidence has the lock
// alone, and looks for the row once more. So the two cannot miss each other. They are taken before any row.
const (
	sharedLock = `SELECT pg_advisory_xact_lock_shared($1)`
	ownLock    = `SELECT pg_advisory_xact_lock($1)`
)

var errVanished = errors.New("a row that was locked is gone")
