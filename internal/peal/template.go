package peal

import (
	"encoding/json"
	"time"
)

// TemplateStatus is the provider's word on a template, in lower case. Others than these are taken as they come, and are no
// reason not to send.
type TemplateStatus string

// The statuses that are.
const (
	TemplateApproved TemplateStatus = "approved"
	TemplatePending  TemplateStatus = "pending"
	TemplateAppealed TemplateStatus = "in_appeal"
	TemplatePaused   TemplateStatus = "paused"
	TemplateLocked   TemplateStatus = "locked"
	TemplateRejected TemplateStatus = "rejected"
	TemplateDisabled TemplateStatus = "disabled"
	TemplateDeleting TemplateStatus = "pending_deletion"
	TemplateDeleted  TemplateStatus = "deleted"
	TemplateArchived TemplateStatus = "archived"
	TemplateMissing  TemplateStatus = "missing" // of a call's word: the provider does not know it, or not yet
	TemplateBroken   TemplateStatus = "broken"  // of a call's word: it does not take its parameters; it is sent all the same
)

// Stops tells whether a message of a template in this status waits.
func (s TemplateStatus) Stops() bool {
	switch s {
	case TemplatePending, TemplateAppealed, TemplatePaused, TemplateLocked, TemplateMissing:
		return true
	default:
		return s.Over()
	}
}

// Over tells whether nothing new is accepted for a template in this status: nobody expects it to come back by itself.
func (s TemplateStatus) Over() bool {
	switch s {
	case TemplateRejected, TemplateDisabled, TemplateDeleting, TemplateDeleted, TemplateArchived:
		return true
	default:
		return false
	}
}

// codeTemplate begins the code of a delivery that waits for its template; the status follows.
const codeTemplate = "template_"

// Code is that of a delivery which waits for a template in this status.
func (s TemplateStatus) Code() string { return codeTemplate + string(s) }

// WaitsForTemplate tells whether a code is one of deliveries that wait for their template.
func WaitsForTemplate(code string) bool {
	return len(code) > len(codeTemplate) && code[:len(codeTemplate)] == codeTemplate
}

// Template is a translation of a message that a provider has approved, or may, as its catalogue has it.
type Template struct {
	TenantID      string
	IntegrationID string
	Name          string
	Language      string
	ProviderID    string
	Category      string // in lower case
	Status        TemplateStatus
	Format        string          // of its variables: positional or named; empty where the provider does not say
	Quality       string          // in lower case
	Reason        string          // of the status, in the provider's words
	Components    json.RawMessage // as the provider lists them
	StateAt       time.Time       // as of when Status is known
	ChangedAt     time.Time       // when it was last found to be another than before
	HeardAt       time.Time       // of its newest news, by the provider's clock; zero: there was none

	// What a call was answered since it was last found to be as it says. A template that has been stopped so is sent again
	// when the catalogue says so, or a person.
	Stopped       TemplateStatus // paused, disabled or missing
	StoppedReason string
	StoppedAt     time.Time
	BrokenCode    string // the provider's code of the last message that did not fit it
	BrokenReason  string
	BrokenAt      time.Time
}

// Stands is the status by which its messages go, are held, or are refused: the catalogue's, or what a call was answered
// while the catalogue still says that it can be sent.
func (t *Template) Stands() TemplateStatus {
	if t.Stopped != "" && !t.Status.Stops() {
		return t.Stopped
	}
	return t.Status
}

// Why is the reason of Stands.
func (t *Template) Why() string {
	if t.Stopped != "" && !t.Status.Stops() {
		return t.StoppedReason
	}
	return t.Reason
}

// TemplateState is what a provider says of a template by webhook. What is empty it did not say.
type TemplateState struct {
	ProviderID string
	Name       string
	Language   string
	Status     TemplateStatus
	Reason     string
	Category   string
	Quality    string
	At         time.Time // by the provider's clock; zero when it did not say
}

// TemplateWord is what the answer to a call says of the message's template, beside what it says of the message.
type TemplateWord struct {
	Status TemplateStatus // paused, disabled, missing or broken; empty: nothing
	Code   string         // the provider's
	Reason string
}

// TemplateChange is a template that is another than it was.
type TemplateChange struct {
	Old TemplateStatus // Stands; empty: it is new
	Now Template
}

// Catalogue is how well an integration's templates are known.
type Catalogue struct {
	TenantID      string
	IntegrationID string
	Version       int64     // rises with every change of it or of a template
	Of            int64     // version of the integration under which it was last read
	SyncedAt      time.Time // when the reading began that was last finished; zero: never
	TriedAt       time.Time // when one was last begun
	AskedAt       time.Time // when somebody last wanted one
	Forced        bool      // that was a person
	Pages         int       // calls that the last one took
	Failures      int       // in a row
	Error         string    // of the last one, if it failed
}

// TemplateFilter chooses templates; empty fields match everything.
type TemplateFilter struct {
	Name   string
	Status TemplateStatus // by Stands
	After  [2]string      // name and language of the last of the page before
	Limit  int            // 0: all
}

// TemplateKey names a template of an integration.
type TemplateKey struct{ Name, Language string }
