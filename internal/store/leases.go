package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"peal/internal/peal"
)

const (
	sqlRenew = `UPDATE leases SET renewals = renewals + 1 WHERE node_id = ? AND name = ?`
	sqlTake  = `INSERT INTO leases (name, node_id, epoch, renewals) VALUES (?1, ?2, 1, 1)
		ON CONFLICT (name) DO UPDATE SET node_id = excluded.node_id, epoch = leases.epoch + 1, renewals = leases.renewals + 1
		WHERE leases.node_id = '' OR leases.node_id = excluded.node_id OR (leases.node_id = ?3 AND leases.renewals = ?4)`
	sqlEpoch   = `SELECT epoch, renewals FROM leases WHERE name = ? AND node_id = ?`
	sqlRelease = `UPDATE leases SET node_id = '', renewals = renewals + 1 WHERE node_id = ? AND name = ?`
	sqlBeat    = `INSERT INTO nodes (node_id, roles, version, started_at, refuses, beats) VALUES (?, ?, ?, ?, ?, 1)
		ON CONFLICT (node_id) DO UPDATE SET roles = excluded.roles, version = excluded.version, refuses = excluded.refuses, beats = nodes.beats + 1`
)

// Renew shows that a node still holds its leases, and gives the names of those that are still its own: a lease stays its
// holder's until another takes it.
func (s *Store) Renew(ctx context.Context, node string, names []string) ([]string, error) {
	var held []string // no result: a write that is given up on may still be going on when this returns
	err := s.writeApart(ctx, func(t *tx) error {
		held = held[:0]
		for _, name := range slices.Sorted(slices.Values(names)) { // in one order for all, so that nobody waits in a circle
			n, err := t.affect(sqlRenew, node, name)
			if err != nil {
				return fmt.Errorf("renew leases: %w", err)
			}
			if n > 0 {
				held = append(held, name)
			}
		}
		return nil
	})
	if err != nil { // the write may still be going on
		return nil, err
	}
	return held, nil
}

// Leases gives all leases as they stand.
func (s *Store) Leases(ctx context.Context) ([]peal.Lease, error) {
	all, err := list(ctx, s.quick, func(row scanner, l *peal.Lease) error {
		return row.Scan(&l.Name, &l.Node, &l.Epoch, &l.Renewals)
	}, `SELECT name, node_id, epoch, renewals FROM leases ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	return all, nil
}

// Take gives a node those of the leases that are free or its own already, and those of other nodes that still stand as
// they were seen. No clock of the records has a say: whether a holder has had its time only who watched it can know.
func (s *Store) Take(ctx context.Context, node string, seen []peal.Lease) ([]peal.Lease, error) {
	var taken []peal.Lease
	seen = slices.SortedFunc(slices.Values(seen), func(a, b peal.Lease) int { return strings.Compare(a.Name, b.Name) })
	err := s.writeApart(ctx, func(t *tx) error {
		taken = taken[:0]
		for _, l := range seen {
			n, err := t.affect(sqlTake, l.Name, node, l.Node, l.Renewals)
			if err != nil {
				return fmt.Errorf("take leases: %w", err)
			}
			if n == 0 {
				continue
			}
			row, err := t.row(sqlEpoch, l.Name, node)
			if err == nil {
				l.Node = node
				err = row.Scan(&l.Epoch, &l.Renewals)
			}
			if err != nil {
				return fmt.Errorf("take leases: %w", err)
			}
			taken = append(taken, l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
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

// Beat notes that a node lives, and gives all that have not left, it among them. Which of them live shows in their beats.
func (s *Store) Beat(ctx context.Context, n peal.Node) ([]peal.Node, error) {
	err := s.writeApart(ctx, func(t *tx) error {
		return t.exec(sqlBeat, n.ID, strings.Join(n.Roles, ","), n.Version, n.StartedAt.UnixMicro(), strings.Join(n.Refuses, " "))
	})
	if err != nil {
		return nil, fmt.Errorf("note node: %w", err)
	}
	return s.Nodes(ctx)
}

// Nodes gives all that have not left, dead ones among them.
func (s *Store) Nodes(ctx context.Context) ([]peal.Node, error) {
	nodes, err := list(ctx, s.quick, func(row scanner, n *peal.Node) error {
		var roles, refuses string
		err := row.Scan(&n.ID, &roles, &n.Version, at{&n.StartedAt}, &refuses, &n.Beats)
		n.Roles, n.Refuses = strings.Split(roles, ","), strings.Fields(refuses)
		return err
	}, `SELECT node_id, roles, version, started_at, refuses, beats FROM nodes ORDER BY node_id`)
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	return nodes, nil
}

// Leave forgets a node that has stopped.
func (s *Store) Leave(ctx context.Context, node string) error {
	return s.writeApart(ctx, func(t *tx) error { return t.exec(`DELETE FROM nodes WHERE node_id = ?`, node) })
}
