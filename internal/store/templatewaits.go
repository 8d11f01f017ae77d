package store

import (
	"context"
	"fmt"
	"slices"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// ofTemplate are the deliveries of an integration that wait for a template, in the index of what was put back.
const ofTemplate = ` FROM communications_log INDEXED BY log_put_back WHERE put_back = 1 AND integration_id = ? AND status = 'queued'
	AND substr(error_code, 1, 9) = 'template_'`

// readable are those of ofTemplate whose payload PostgreSQL can look into: it takes no NUL, which no template needs. The
// others go on by their time.
func (s *Store) readable() string {
	if !s.d.bulk {
		return ofTemplate
	}
	return ofTemplate + ` AND strpos(payload, '\u0000') = 0`
}

// templateOf are the columns with the name and the language of the template that a delivery is of, or falls back to.
func (s *Store) templateOf() string {
	field := func(name string) string {
		at := []string{"{template," + name + "}", "{fallback_template," + name + "}"}
		read := `COALESCE(payload::json #>> '%s', payload::json #>> '%s', '') AS %s`
		if !s.d.bulk {
			at = []string{"$.template." + name, "$.fallback_template." + name}
			read = `COALESCE(json_extract(payload, '%s'), json_extract(payload, '%s'), '') AS %s`
		}
		return fmt.Sprintf(read, at[0], at[1], name)
	}
	return field("name") + ", " + field("language")
}

// TemplateWaits counts the deliveries of an integration that wait for their template, by template.
func (s *Store) TemplateWaits(ctx context.Context, integrationID string) (map[peal.TemplateKey]int64, error) {
	type group struct {
		peal.TemplateKey

		n int64
	}
	groups, err := list(ctx, s.reads, func(row scanner, g *group) error { return row.Scan(&g.Name, &g.Language, &g.n) },
		`SELECT name, language, COUNT(*) FROM (SELECT `+s.templateOf()+s.readable()+`) AS waiting GROUP BY name, language`, integrationID)
	if err != nil {
		return nil, fmt.Errorf("count what waits for templates: %w", err)
	}
	all := make(map[peal.TemplateKey]int64, len(groups))
	for _, g := range groups {
		all[g.TemplateKey] = g.n
	}
	return all, nil
}

const (
	wakePage = 20_000 // deliveries that are looked at together: they have to be sorted for each page
	wakeStep = 500    // deliveries that are woken in one transaction: others wait for it
)

// WakeTemplates makes those deliveries of an integration due at once that wait for a template which is held no longer, step
// by step, and hands over the jobs of each.
func (s *Store) WakeTemplates(ctx context.Context, in *peal.Integration, held func(peal.TemplateKey) bool, jobs func([]pipeline.Job)) error {
	type waiter struct {
		peal.TemplateKey

		id string
	}
	for after := ""; ; {
		page, err := listWithin(ctx, countTime, s.reads, func(row scanner, w *waiter) error { return row.Scan(&w.id, &w.Name, &w.Language) },
			`SELECT delivery_id, `+s.templateOf()+s.readable()+` AND delivery_id > ? ORDER BY delivery_id LIMIT ?`, in.ID, after, wakePage)
		if err != nil {
			return fmt.Errorf("read what waits for templates: %w", err)
		}
		var ids []string
		for i := range page {
			if !held(page[i].TemplateKey) {
				ids = append(ids, page[i].id)
			}
		}
		for some := range slices.Chunk(ids, wakeStep) {
			woken, err := s.wakeSome(ctx, in, some)
			if err != nil {
				return err
			}
			jobs(woken)
		}
		if len(page) < wakePage {
			return nil
		}
		after = page[len(page)-1].id
	}
}

// wakeSome wakes some of those that wait; the ids are in order.
func (s *Store) wakeSome(ctx context.Context, in *peal.Integration, ids []string) ([]pipeline.Job, error) {
	return wrote(ctx, s, func(t *tx) ([]pipeline.Job, error) {
		rows, err := t.query(`UPDATE communications_log INDEXED BY log_delivery SET due_at = NULL, put_back = NULL, error_code = NULL,
			error_reason = NULL, updated_at = ? WHERE tenant_id = ? AND delivery_id`+t.d.anyOf+` AND delivery_id BETWEEN ? AND ? AND put_back = 1
			AND integration_id = ? AND status = 'queued' AND substr(error_code, 1, 9) = 'template_'
			RETURNING delivery_id, integration_id, priority`, s.now().UnixMicro(), in.TenantID, t.d.list(ids), ids[0], ids[len(ids)-1], in.ID)
		jobs, err := collect(rows, err, scanJob)
		if err != nil {
			return nil, fmt.Errorf("wake what waits for a template: %w", err)
		}
		return jobs, nil
	})
}
