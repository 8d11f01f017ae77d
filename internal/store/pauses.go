package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/api"
	"peal/internal/peal"
)

const sqlPauseOf = `SELECT tenant_id, name, kind, pause_code, paused_at, paused_until FROM integrations
	WHERE integration_id = ?1 AND (?2 = 0 OR version = ?2) AND deleted_at IS NULL`

// tellPause tells the tenant that an integration is about to be paused, or with nil resumed, under a version that is not 0 only
// if that is its own. It is told when that changes something: that a pause of the same kind goes on, or that one is lifted
// which there is not, does not.
func tellPause(t *tx, id string, version int64, p *peal.Pause, now time.Time) error {
	row, err := t.row(sqlPauseOf+t.d.forUpdate, id, version)
	if err != nil {
		return fmt.Errorf("read the pause: %w", err)
	}
	var old peal.Pause
	n := peal.Notice{Subject: id, At: now, Type: peal.NoticeIntegrationResumed}
	data := api.IntegrationEvent{IntegrationID: id}
	switch err := row.Scan(&n.TenantID, &data.Name, &data.Kind, opt[peal.PauseCode]{&old.Code}, at{&old.Since}, at{&old.Until}); {
	case errors.Is(err, sql.ErrNoRows):
		return nil // nothing is going to be changed, either
	case err != nil:
		return fmt.Errorf("read the pause: %w", err)
	}
	over := !old.Until.IsZero() && !now.Before(old.Until)
	switch {
	case p == nil && old.Code == "", p == nil && over, p != nil && p.Code == old.Code && !over:
		return nil
	case p == nil:
		data.Code, data.Since = string(old.Code), optTime(old.Since)
	default:
		n.Type = peal.NoticeIntegrationPaused
		data.Code, data.Reason, data.Since, data.Until = string(p.Code), p.Reason, optTime(p.Since), optTime(p.Until)
	}
	if n.Data, err = json.Marshal(&data); err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	return t.tell(&n)
}

func optTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
