package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SwapToken puts a token in the place of the one of that name that was made at old (zero: there is none), unless that is
// another one by now. It gives the one that stands then; nil when there is none. With next nil it only reads.
func (s *Store) SwapToken(ctx context.Context, name string, old time.Time, next []byte, made time.Time) (now []byte, madeAt time.Time, err error) {
	if next != nil {
		err := s.write(ctx, func(t *tx) error {
			if old.IsZero() {
				return t.exec(`INSERT INTO provider_tokens (name, sealed, made_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING`,
					name, next, made.UnixMicro())
			}
			return t.exec(`UPDATE provider_tokens SET sealed = ?, made_at = ? WHERE name = ? AND made_at = ?`,
				next, made.UnixMicro(), name, old.UnixMicro())
		})
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("write shared token: %w", err)
		}
	}
	type row struct {
		sealed []byte
		made   time.Time
	}
	var r row
	err = one(ctx, s.quick, func(sc scanner, r *row) error { return sc.Scan(&r.sealed, at{&r.made}) }, &r,
		`SELECT sealed, made_at FROM provider_tokens WHERE name = ?`, name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read shared token: %w", err)
	}
	return r.sealed, r.made, nil
}
