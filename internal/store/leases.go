package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
)

const (
	sqlRenew = `UPDATE leases SET expires_at = ? WHERE node_id = ? AND name = ?`
	sqlTake  = `INSERT INTO leases (name, node_id, epoch, expires_at) VALUES (?1, ?2, 1, ?3)
		ON CONFLICT (name) DO UPDATE SET epoch = leases.epoch + CASE WHEN leases.node_id = excluded.node_id AND leases.expires_at > ?4 THEN 0 ELSE 1 END,
		node_id = excluded.node_id, expires_at = excluded.expires_at
		WHERE leases.node_id = excluded.node_id OR leases.expires_at <= ?4`
	sqlEpoch   = `SELECT epoch FROM leases WHERE name = ? AND node_id = ?`
	sqlRelease = `UPDATE leases SET expires_at = 0 WHERE node_id = ? AND name = ?`
	sqlBeat    = `INSERT INTO nodes (node_id, roles, version, started_at, seen_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (node_id) DO UPDATE SET roles = excluded.roles, version = excluded.version, seen_at = excluded.seen_at`
	sqlForgetNodes = `DELETE FROM nodes WHERE seen_at < ?`
)

// forgottenAfter is how long a node that is heard of no more is remembered.
const forgottenAfter = time.Hour

// Renew makes a node's leases last for ttl from now by the clock of the records, and gives the names of those that are
// still its own: a lease that has run out stays its last holder's until another takes it.
func (s *Store) Renew(ctx context.Context, node string, names []string, ttl time.Duration) (held []string, err error) {
	err = s.writeApart(ctx, func(t *tx) error {
		held = held[:0]
		names := slices.Sorted(slices.Values(names)) // in one order for all, so that nobody waits in a circle
		now, err := s.clock(t)
		if err != nil {
			return err
		}
		for _, name := range names {
			n, err := t.affect(sqlRenew, now.Add(ttl).UnixMicro(), node, name)
			if err != nil {
				return fmt.Errorf("renew leases: %w", err)
			}
			if n > 0 {
				held = append(held, name)
			}
		}
		return nil
	})
	return held, err
}

// Take gives a node those of the leases that are free, have run out, or are its own already. The epoch rises unless it had
// them without a break.
func (s *Store) Take(ctx context.Context, node string, names []string, ttl time.Duration) (taken []peal.Lease, err error) {
	err = s.writeApart(ctx, func(t *tx) error {
		taken = taken[:0]
		names := slices.Sorted(slices.Values(names))
		now, err := s.clock(t)
		if err != nil {
			return err
		}
		for _, name := range names {
			n, err := t.affect(sqlTake, name, node, now.Add(ttl).UnixMicro(), now.UnixMicro())
			if err != nil {
				return fmt.Errorf("take leases: %w", err)
			}
			if n == 0 {
				continue
			}
			row, err := t.row(sqlEpoch, name, node)
			if err != nil {
				return err
			}
			l := peal.Lease{Name: name}
			if err := row.Scan(&l.Epoch); err != nil {
				return fmt.Errorf("take leases: %w", err)
			}
			taken = append(taken, l)
		}
		return nil
	})
	return taken, err
}

// Release lets go of a node's leases: others may take them at once.
func (s *Store) Release(ctx context.Context, node string, names []string) error {
	return s.writeApart(ctx, func(t *tx) error {
		for _, name := range slices.Sorted(slices.Values(names)) {
			if err := t.exec(sqlRelease, node, name); err != nil {
				return fmt.Errorf("release leases: %w", err)
			}
		}
		return nil
	})
}

// Beat notes that a node lives, and gives all that were heard of within the time, it among them.
func (s *Store) Beat(ctx context.Context, n peal.Node, within time.Duration) ([]peal.Node, error) {
	var now time.Time
	err := s.writeApart(ctx, func(t *tx) (err error) {
		if now, err = s.clock(t); err != nil {
			return err
		}
		err = t.exec(sqlBeat, n.ID, strings.Join(n.Roles, ","), n.Version, n.StartedAt.UnixMicro(), now.UnixMicro())
		if err == nil {
			err = t.exec(sqlForgetNodes, now.Add(-forgottenAfter).UnixMicro())
		}
		if err != nil {
			return fmt.Errorf("note node: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.seen(ctx, now.Add(-within))
}

// Nodes gives all that were heard of within the time.
func (s *Store) Nodes(ctx context.Context, within time.Duration) ([]peal.Node, error) {
	var now time.Time
	err := s.writeApart(ctx, func(t *tx) (err error) {
		now, err = s.clock(t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.seen(ctx, now.Add(-within))
}

func (s *Store) seen(ctx context.Context, since time.Time) ([]peal.Node, error) {
	nodes, err := list(ctx, s.reads, func(row scanner, n *peal.Node) error {
		var roles string
		err := row.Scan(&n.ID, &roles, &n.Version, at{&n.StartedAt})
		n.Roles = strings.Split(roles, ",")
		return err
	}, `SELECT node_id, roles, version, started_at FROM nodes WHERE seen_at > ? ORDER BY node_id`, since.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	return nodes, nil
}

// Leave forgets a node that stops.
func (s *Store) Leave(ctx context.Context, node string) error {
	return s.writeApart(ctx, func(t *tx) error { return t.exec(`DELETE FROM nodes WHERE node_id = ?`, node) })
}

// clock is the one clock that all nodes go by: the database's, where they share one.
func (s *Store) clock(t *tx) (now time.Time, err error) {
	if !s.shared {
		return s.now(), nil
	}
	row, err := t.row(`SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`)
	if err == nil {
		err = row.Scan(at{&now})
	}
	if err != nil {
		return now, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}
