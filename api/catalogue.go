package api

import (
	"encoding/json"
	"time"
)

// CatalogueTemplate is a translation of a template as the provider's catalogue has it.
type CatalogueTemplate struct {
	Name       string          `json:"name"`
	Language   string          `json:"language"`
	ProviderID string          `json:"provider_id,omitempty"`
	Category   string          `json:"category,omitempty" doc:"marketing, utility, authentication"`
	Status     string          `json:"status" doc:"approved, pending, in_appeal, paused, rejected, disabled, pending_deletion, deleted, archived; missing: a call was answered that there is none. Others are the provider's"`
	Reason     string          `json:"reason,omitempty" doc:"Of the status, in the provider's words"`
	Quality    string          `json:"quality,omitempty" doc:"green, yellow, red"`
	Format     string          `json:"parameter_format,omitempty" doc:"positional or named"`
	Sendable   bool            `json:"sendable" doc:"Whether its messages go; else they wait, and of some statuses none are accepted"`
	Waiting    int64           `json:"waiting" doc:"Deliveries that wait until it can be sent"`
	Broken     *TemplateFault  `json:"broken,omitempty" doc:"A message did not fit it, and it has not changed since"`
	Components json.RawMessage `json:"components,omitempty" doc:"As the provider lists them"`
	ChangedAt  time.Time       `json:"changed_at"`
}

// TemplateFault is why a message did not fit its template.
type TemplateFault struct {
	Code   string    `json:"code" doc:"The provider's"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// TemplateList is the answer of GET /v1/integrations/{id}/templates.
type TemplateList struct {
	Templates  []CatalogueTemplate `json:"templates"`
	NextCursor string              `json:"next_cursor,omitempty" doc:"For the next page; absent on the last"`
	Catalogue  Catalogue           `json:"catalogue"`
}

// Catalogue is how well an integration's templates are known.
type Catalogue struct {
	Checked   bool           `json:"checked" doc:"Whether messages of templates are checked by it when they are accepted"`
	Missing   string         `json:"missing,omitempty" doc:"What is to be done for it to be read at all"`
	Templates int            `json:"templates" doc:"How many it has"`
	SyncedAt  *time.Time     `json:"synced_at,omitempty" doc:"As of when it is known"`
	AskedAt   *time.Time     `json:"asked_at,omitempty" doc:"It is to be read again since then; absent: it is not"`
	Error     string         `json:"error,omitempty" doc:"Why it could not be read the last time"`
	Stopped   []HeldTemplate `json:"stopped,omitempty" doc:"Templates that cannot be sent and for which deliveries wait; only where one integration is asked for"`
}

// HeldTemplate is a template that keeps deliveries waiting.
type HeldTemplate struct {
	Name     string `json:"name"`
	Language string `json:"language"`
	Status   string `json:"status"`
	Reason   string `json:"reason,omitempty"`
	Waiting  int64  `json:"waiting"`
}
