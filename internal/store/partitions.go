package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
)

// What grows without bound is cut by id into partitions of a week, which is by the time in the id: the clock of whoever
// accepts, hence not Config.Now.
const (
	partitionSpan  = 7 * 24 * time.Hour
	partitionAhead = 4 // weeks that are made before their time
	partitionBack  = 1 // weeks before this one: clocks differ
)

// partitionedTables with the column that cuts them.
func partitionedTables() [][2]string {
	return [][2]string{{"communications_log", "delivery_id"}, {"delivery_events", "delivery_id"}, {"notifications", "notification_id"}}
}

// week is one partition's time: of all tables alike.
type week struct{ start time.Time }

func weekOf(t time.Time) week {
	span := partitionSpan.Milliseconds()
	return week{time.UnixMilli(t.UnixMilli() / span * span).UTC()}
}

func (w week) end() time.Time { return w.start.Add(partitionSpan) }

const weekLayout = "20060102"

// suffix is the end of the partitions' names.
func (w week) suffix() string { return "_p" + w.start.Format(weekLayout) }

// How long a change of partitions waits for a lock, and how often it tries. Who waits for one keeps all others waiting.
const (
	partitionLock  = 300 * time.Millisecond
	partitionTries = 30
	partitionPause = time.Second
)

// adminParams are of the connection that changes partitions.
func adminParams() map[string]string {
	return map[string]string{"lock_timeout": millis(partitionLock), "statement_timeout": "600000", "idle_in_transaction_session_timeout": "60000"}
}

// Maintain makes the partitions of the weeks to come. On SQLite there is nothing to do. It is safe to run twice, and at
// once.
func (s *Store) Maintain(ctx context.Context) error {
	if s.admin == nil {
		return nil
	}
	return s.maintain(ctx, time.Now())
}

func (s *Store) maintain(ctx context.Context, now time.Time) error {
	there, err := s.partitions(ctx)
	if err != nil {
		return err
	}
	for i := -partitionBack; i <= partitionAhead; i++ {
		w := weekOf(now.Add(time.Duration(i) * partitionSpan))
		for _, table := range partitionedTables() {
			if there[table[0]+w.suffix()] {
				continue
			}
			err := s.changePartitions(ctx, func(ctx context.Context, tx *sql.Tx) error { return makePartition(ctx, tx, table[0], table[1], w) })
			if err != nil {
				return fmt.Errorf("make partition %s: %w", table[0]+w.suffix(), err)
			}
		}
	}
	strays, err := s.strays(ctx)
	if err != nil {
		return err
	}
	if there, err = s.partitions(ctx); err != nil {
		return err
	}
	if s.covered.Store(nil); !strays {
		s.covered.Store(coveredBy(there))
	}
	return nil
}

// coveredBy gives the ids that the partitions cover; nil when there is a gap between them.
func coveredBy(there map[string]bool) *[2]string {
	weeks := weeksOf(there)
	for i := 1; i < len(weeks); i++ {
		if weeks[i-1].end() != weeks[i].start {
			return nil
		}
	}
	if len(weeks) == 0 {
		return nil
	}
	return &[2]string{idAt(weeks[0].start), idAt(weeks[len(weeks)-1].end())}
}

// weeksOf are the weeks that have a partition of the log, the oldest first.
func weeksOf(there map[string]bool) []week {
	var weeks []week
	for name := range there {
		date, ok := strings.CutPrefix(name, "communications_log_p")
		if start, err := time.Parse(weekLayout, date); ok && err == nil {
			weeks = append(weeks, week{start})
		}
	}
	slices.SortFunc(weeks, func(a, b week) int { return a.start.Compare(b.start) })
	return weeks
}

// strays tells whether rows have fallen beside the partitions, and warns of it: they stay findable, but do not leave as a
// whole.
func (s *Store) strays(ctx context.Context) (found bool, err error) {
	for _, table := range partitionedTables() {
		var some bool
		err := one(ctx, s.reads, scanInto[bool], &some, `SELECT EXISTS (SELECT 1 FROM `+table[0]+`_default)`)
		if err != nil {
			return false, fmt.Errorf("look for rows beside the partitions: %w", err)
		}
		if some {
			found = true
			s.log.WarnContext(ctx, "rows lie in a default partition: a node's clock is wrong, or was", "table", table[0]+"_default")
		}
	}
	return found, nil
}

// partitions gives the names of those that are attached.
func (s *Store) partitions(ctx context.Context) (map[string]bool, error) {
	names, err := list(ctx, s.reads, scanInto[string], `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		JOIN pg_class p ON p.oid = i.inhparent WHERE p.relkind = 'p' AND p.relnamespace = current_schema()::regnamespace`)
	if err != nil {
		return nil, fmt.Errorf("read the partitions: %w", err)
	}
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	return there, nil
}

// changePartitions runs a change in a transaction of its own, under a lock that nodes take in turns. It gives up soon
// where it would have to wait for readers or writers, and tries again.
func (s *Store) changePartitions(ctx context.Context, change func(context.Context, *sql.Tx) error) error {
	for n := 1; ; n++ {
		err := s.changeOnce(ctx, change)
		if err == nil || n == partitionTries || !retriable(err) && pgCode(err) != "55P03" { // lock not available
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(partitionPause):
		}
	}
}

func (s *Store) changeOnce(ctx context.Context, change func(context.Context, *sql.Tx) error) (err error) {
	tx, err := s.admin.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the server does it in any case
		}
	}()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('peal partitions'))`); err != nil {
		return fmt.Errorf("wait for another node: %w", err)
	}
	if err := change(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// makePartition makes a table beside and attaches it, which does not keep writers waiting. What has fallen into the
// default partition meanwhile moves over.
func makePartition(ctx context.Context, tx *sql.Tx, table, column string, w week) error {
	name, from, to := table+w.suffix(), idAt(w.start), idAt(w.end())
	var there, strays bool
	err := tx.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL,
		EXISTS (SELECT 1 FROM `+table+`_default WHERE `+column+` >= $2 AND `+column+` < $3)`, name, from, to).Scan(&there, &strays)
	if err != nil || there {
		return err
	}
	statements := []string{`CREATE TABLE ` + name + ` (LIKE ` + table + ` INCLUDING DEFAULTS)`}
	if strays {
		in := table + `_default WHERE ` + column + ` >= '` + from + `' AND ` + column + ` < '` + to + `'`
		statements = append(statements, `LOCK TABLE `+table+`_default IN ACCESS EXCLUSIVE MODE`,
			`INSERT INTO `+name+` SELECT * FROM `+in, //nolint:unqueryvet // the two are alike
			`DELETE FROM `+in)
	}
	statements = append(statements, `ALTER TABLE `+table+` ATTACH PARTITION `+name+` FOR VALUES FROM ('`+from+`') TO ('`+to+`')`)
	for _, q := range statements {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// retainPartitions drops the weeks that end before the time.
func (s *Store) retainPartitions(ctx context.Context, before time.Time) (r peal.Retention, err error) {
	there, err := s.partitions(ctx)
	if err != nil {
		return r, err
	}
	oldest := before // of what stays
	for _, w := range weeksOf(there) {
		name := "communications_log" + w.suffix()
		if w.end().After(before) {
			oldest = earlier(oldest, w.start)
			continue
		}
		held, err := s.dropWeek(ctx, w)
		if err != nil {
			return r, fmt.Errorf("drop partition %s: %w", name, err)
		}
		if held != (peal.Held{}) { // what keeps it stays, the rest goes row by row
			kept := len(r.Kept)
			if err := s.retainRows(ctx, w.suffix(), before, &r); err != nil {
				return r, err
			}
			for i := range r.Kept[kept:] {
				r.Kept[kept+i].Name, r.Kept[kept+i].Before = name, w.end()
			}
			oldest = earlier(oldest, w.start)
			continue
		}
		r.Partitions = append(r.Partitions, name)
	}
	if err := s.retainRows(ctx, "_default", before, &r); err != nil {
		return r, err
	}
	return r, errors.Join(s.forgetExpansions(ctx, before), s.forgetCounts(ctx, oldest))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// dropWeek drops a week of all tables, unless somebody still waits for something in it; then it tells what.
func (s *Store) dropWeek(ctx context.Context, w week) (held peal.Held, err error) {
	log := "communications_log" + w.suffix()
	// What an open expansion is going to write belongs here, too.
	count := `SELECT (SELECT COUNT(*) FROM ` + log + ` WHERE in_flight = 1) + (SELECT COUNT(*) FROM expansions WHERE ended_at IS NULL
		AND notification_id >= '` + idAt(w.start) + `' AND notification_id < '` + idAt(w.end()) + `'), (SELECT COUNT(*) FROM ` + log + ` WHERE dead_at IS NOT NULL)`
	scan := func(row scanner, h *peal.Held) error { return row.Scan(&h.InFlight, &h.DeadLetters) }
	named := func(h peal.Held) peal.Held {
		if h.InFlight+h.DeadLetters > 0 {
			h.Name, h.Before = log, w.end()
		}
		return h
	}
	err = one(ctx, s.reads, scan, &held, count)
	if pgCode(err) == "42P01" { // no such table: another node was quicker
		return peal.Held{}, nil
	}
	if err != nil || held != (peal.Held{}) {
		return named(held), err
	}
	err = s.changePartitions(ctx, func(ctx context.Context, tx *sql.Tx) error {
		held = peal.Held{}
		var there bool
		err := tx.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, log).Scan(&there)
		if err != nil || !there {
			return err
		}
		if _, err := tx.ExecContext(ctx, `LOCK TABLE `+log+` IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := scan(tx.QueryRowContext(ctx, count), &held); err != nil || held != (peal.Held{}) {
			return err
		}
		for _, table := range partitionedTables() {
			if _, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS `+table[0]+w.suffix()); err != nil {
				return err
			}
		}
		return nil
	})
	return named(held), err
}
