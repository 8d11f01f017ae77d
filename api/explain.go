package api

import "time"

// Explanation tells why a delivery is as it is: every decision about it in order, and what happens next.
type Explanation struct {
	DeliveryID     string        `json:"delivery_id"`
	NotificationID string        `json:"notification_id"`
	Status         string        `json:"status" enum:"queued,sending,sent,delivered,read,failed,skipped,canceled,expired,uncertain"`
	Steps          []ExplainStep `json:"steps" doc:"The decisions, in order of time"`
	Next           ExplainNext   `json:"next" doc:"What happens next, and when"`
}

// ExplainStep is one decision.
type ExplainStep struct {
	At       time.Time      `json:"at"`
	Stage    string         `json:"stage" enum:"accept,route,send,track,person" doc:"Who decided: a stage of Peal, or a person"`
	Decision string         `json:"decision" doc:"What was decided, in words"`
	Rule     string         `json:"rule" doc:"By which rule: a stable name; docs/explain.md lists them. A code of the provider's or of an error that has no rule of its own is its own name"`
	Why      string         `json:"why" doc:"The rule in a sentence"`
	Docs     string         `json:"docs,omitempty" doc:"Where the rule is documented"`
	Input    map[string]any `json:"input,omitempty" doc:"What was decided by: numbers, codes, times"`
	Detail   string         `json:"detail,omitempty" doc:"The provider's words, or a person's"`
}

// ExplainNext is what happens next.
type ExplainNext struct {
	What  string         `json:"what" doc:"In words"`
	Rule  string         `json:"rule" doc:"By which rule, as in a step"`
	Why   string         `json:"why"`
	Docs  string         `json:"docs,omitempty"`
	At    *time.Time     `json:"at,omitempty" doc:"When; absent when it is not known, or nothing happens any more"`
	Input map[string]any `json:"input,omitempty"`
	Ended bool           `json:"ended,omitempty" doc:"Nothing happens by itself any more"`
}
