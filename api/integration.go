package api

import "time"

// IntegrationRequest creates an integration: a tenant's account at a provider.
type IntegrationRequest struct {
	Name        string            `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9][a-z0-9._-]*$" patternDescription:"lower case letters, digits, dots, hyphens and underscores, such as main-2" doc:"Yours to choose, unique in the tenant"`
	Kind        string            `json:"kind" enum:"wasender,whatsapp_cloud,fcm,apns,webpush"`
	Credentials map[string]string `json:"credentials,omitempty" doc:"wasender: api_key and webhook_secret; and personal_access_token with session_id, to look for lost messages in the account's log. whatsapp_cloud: access_token, app_secret, and verify_token, which is made if it is absent. fcm: service_account. apns: key, key_id, team_id. webpush: subject, and private_key, which is made if it is absent. Sealed at rest, never returned"`
	Settings    Settings          `json:"settings,omitempty"`
}

// IntegrationPatch changes an integration; what is absent stays. Any change lifts a pause.
type IntegrationPatch struct {
	Name        *string           `json:"name,omitempty" minLength:"1" maxLength:"64" pattern:"^[a-z0-9][a-z0-9._-]*$" patternDescription:"lower case letters, digits, dots, hyphens and underscores, such as main-2"`
	Credentials map[string]string `json:"credentials,omitempty" doc:"Only the ones to rotate"`
	Settings    *Settings         `json:"settings,omitempty" doc:"Replaces the settings that it names"`
}

// Settings are an integration's knobs; absent ones have the provider's defaults.
type Settings struct {
	BaseURL        string          `json:"base_url,omitempty" doc:"Where the provider's API is" example:"https://www.wasenderapi.com/api"`
	Limit          *Limit          `json:"limit,omitempty" doc:"Sends in any window; default 45 per second"`
	RecipientLimit *RecipientLimit `json:"recipient_limit,omitempty" doc:"Sends to each recipient on its own. Who is over it waits, the others go on. Default: the provider's, or none"`
	LookupLimit    *Limit          `json:"lookup_limit,omitempty" doc:"Look-ups in any window; default as limit; whatsapp_cloud 100 an hour"`
	ReceiptTimeout string          `json:"receipt_timeout,omitempty" doc:"wasender, whatsapp_cloud: how long after a send a receipt should have come. What has none by then is looked up; an integration that brings none at all is suspect. Default 15m, whatsapp_cloud 10m; 0s: never" example:"10m"`
	Concurrency    int             `json:"concurrency,omitempty" minimum:"0" maximum:"1024" doc:"Calls in flight at once; default 32, fcm and apns 512, webpush 256"`
	Timeout        string          `json:"timeout,omitempty" doc:"Per call; default 15s, up to 60s" example:"15s"`
	MaxAttempts    int             `json:"max_attempts,omitempty" minimum:"0" maximum:"20" doc:"Default 5"`
	RetryBase      string          `json:"retry_base,omitempty" doc:"Wait before the second attempt; then times 3 each. Default 5s" example:"5s"`
	RetryCap       string          `json:"retry_cap,omitempty" doc:"Longest wait between attempts. Default 1h" example:"1h"`
	Apps           []string        `json:"apps,omitempty" maxItems:"100" doc:"fcm, apns, webpush: the app ids that it serves. Without, it serves all that no other integration names"`
	CA             string          `json:"ca,omitempty" maxLength:"65536" doc:"Certificates (PEM) that the provider's may be signed by, beside those that the system trusts; for test systems and proxies"`
	StopWords      []string        `json:"stop_words,omitzero" maxItems:"200" doc:"whatsapp: the words with which people opt out, as a whole message. Default: STOP and its like in many languages; an empty list: none"`
	StartWords     []string        `json:"start_words,omitzero" maxItems:"200" doc:"whatsapp: the words with which they opt in again. Default: START and its like; an empty list: none"`
	RequireOptIn   []string        `json:"require_opt_in,omitzero" maxItems:"3" doc:"whatsapp: categories of messages (marketing, utility, authentication) that only go to who has opted in"`
	WhatsAppCloud  *WhatsAppCloud  `json:"whatsapp_cloud,omitempty" doc:"Kind whatsapp_cloud only"`
	OnUnknown      string          `json:"on_unknown,omitempty" enum:"reconcile,hold,resend" doc:"What to do with a delivery whose outcome is unknown. reconcile (default): wait for evidence, and look for it in the provider's log where the credentials allow that; hold: leave it to a person; resend: send again"`
}

// Limit allows at most rate in any window of period. Rate 0 means no limit.
type Limit struct {
	Rate   int    `json:"rate" minimum:"0" maximum:"100000"`
	Period string `json:"period,omitempty" doc:"Default 1s, up to 1m" example:"1s"`
	Burst  int    `json:"burst,omitempty" minimum:"0" maximum:"100000" doc:"How many may go back to back after a quiet time; default a tenth of the rate, at least 1"`
}

// RecipientLimit allows burst messages to a recipient at once, and then rate more in every period. Rate 0 means no limit.
type RecipientLimit struct {
	Rate   int    `json:"rate" minimum:"0" maximum:"100000"`
	Period string `json:"period,omitempty" doc:"Default 1s, up to 1h" example:"6s"`
	Burst  int    `json:"burst,omitempty" minimum:"0" maximum:"100000" doc:"How many may go at once after a quiet time; default 1"`
}

// Integration is what GET tells of one; credentials are never part of it.
type Integration struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Kind        string            `json:"kind"`
	Channel     string            `json:"channel"`
	Settings    Settings          `json:"settings"`
	Credentials []string          `json:"credentials" doc:"Names of those that are set"`
	Public      map[string]string `json:"public,omitempty" doc:"What its clients have to know, such as webpush's vapid_public_key"`
	WebhookURL  string            `json:"webhook_url,omitempty" doc:"Where the provider is to post its webhooks; keep it to yourself. Only for scope admin"`
	VerifyToken string            `json:"verify_token,omitempty" doc:"What to give the provider beside webhook_url, where it asks for one. Only for scope admin"`
	Warning     string            `json:"warning,omitempty" doc:"What is to be done lest it stops working, such as before the provider ends a version of its API"`
	Templates   *Catalogue        `json:"templates,omitempty" doc:"How well its templates are known; kind whatsapp_cloud only"`
	Number      *NumberState      `json:"number,omitempty" doc:"What the provider says of the number that it sends from; only where one integration is asked for"`
	Paused      *Pause            `json:"paused,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Suspect     *Suspect          `json:"suspect,omitempty" doc:"Its calls succeed, and no receipts come"`
	Session     *SessionState     `json:"session,omitempty" doc:"The state of its WhatsApp session, by the provider's last word"`
	LastWebhook *time.Time        `json:"last_webhook_at,omitempty" doc:"When a webhook with the right secret came last, to about 10 s"`
	LastReceipt *time.Time        `json:"last_receipt_at,omitempty" doc:"When a webhook that tells of a message came last, to about 10 s"`
	Refused     int64             `json:"webhooks_refused,omitempty" doc:"Webhooks without the right secret, since the last with it"`
	Uncertain   int64             `json:"uncertain,omitempty" doc:"Deliveries whose outcome is unknown; only where one integration is asked for"`
}

// NumberState is what a provider says of a number, in its own words; what it did not say is absent.
type NumberState struct {
	ID         string     `json:"id,omitempty" doc:"The provider's"`
	Number     string     `json:"number,omitempty" doc:"E.164"`
	Status     string     `json:"status,omitempty" example:"CONNECTED"`
	Quality    string     `json:"quality,omitempty" example:"GREEN"`
	NameStatus string     `json:"name_status,omitempty" example:"APPROVED" doc:"Of the name that people see"`
	Throughput int        `json:"throughput,omitempty" example:"80" doc:"Messages a second, in and out"`
	Tier       string     `json:"tier,omitempty" example:"TIER_2K"`
	Limit      int64      `json:"limit,omitempty" example:"2000" doc:"How many people may be written to first in any 24 hours, over all numbers of the business; absent where any number may"`
	Used       *int64     `json:"used,omitempty" doc:"How many people this integration sent a template to in the 24 hours before used_at. An estimate of what the provider counts: that leaves out those who had written before, and adds what goes over the business's other numbers"`
	UsedAt     *time.Time `json:"used_at,omitempty"`
	Alert      string     `json:"alert,omitempty" doc:"What the provider last warned of"`
	AlertAt    *time.Time `json:"alert_at,omitempty"`
	At         time.Time  `json:"at" doc:"When it was said last"`
}

// Suspect says why an integration is thought not to work, though its calls succeed.
type Suspect struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason" doc:"With what to look at"`
}

// SessionState is the state of a WhatsApp session.
type SessionState struct {
	State string    `json:"state" doc:"The provider's word: connecting, connected, disconnected, need_scan, logged_out, expired"`
	Since time.Time `json:"since" doc:"When the provider said so last"`
}

// Pause says why an integration does not send.
type Pause struct {
	Code   string     `json:"code" doc:"throttled, credentials, session, payment, blocked, manual"`
	Reason string     `json:"reason,omitempty"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until,omitempty" doc:"Absent: until the integration is changed or resumed"`
}

// IntegrationList is the answer of GET /v1/integrations.
type IntegrationList struct {
	Integrations []Integration `json:"integrations"`
}

// TestRequest is the body of POST /v1/integrations/{id}/test: a real message through the whole pipeline. Over push it goes to
// one device, or with validate_only to nobody: the provider is asked whether it would take it.
type TestRequest struct {
	To           string `json:"to,omitempty" doc:"whatsapp: the number, in E.164" example:"+919812345678"`
	Device       string `json:"device,omitempty" maxLength:"128" doc:"push: the installation id of the device"`
	ValidateOnly bool   `json:"validate_only,omitempty" doc:"push: only ask the provider whether it would take it, where it can be asked (fcm)"`
	Text         string `json:"text,omitempty" maxLength:"1000" doc:"Default: a line that says it is a test"`
}

// TestResult answers it: what was accepted, or with validate_only what the provider says.
type TestResult struct {
	ID         string             `json:"id,omitempty" doc:"The notification's id"`
	CreatedAt  *time.Time         `json:"created_at,omitempty"`
	Deliveries []AcceptedDelivery `json:"deliveries,omitempty"`
	Queue      *QueueEstimate     `json:"queue,omitempty"`
	Validation *Validation        `json:"validation,omitempty"`
}

// Validation is a provider's word on a message that it was not to show to anybody.
type Validation struct {
	Class  string `json:"class" enum:"accepted,temporary,throttled,gone,permanent,integration,unknown" doc:"accepted: it would take it"`
	Code   string `json:"code,omitempty" doc:"The provider's, where it would not"`
	Reason string `json:"reason,omitempty"`
}
