// Package pipeline is the map of a notification's way: the subjects that work travels on, and what one stage hands to
// the next.
//
//	accept ─▶ route ─▶ send ─▶ track
//
// accept checks a request, has route plan it, and puts the rows on disk before it answers; then it publishes a Job per
// delivery. send takes jobs at the pace that the integration allows, calls the provider and records the outcome. track
// takes the provider's webhooks and folds them into the rows. The rows are the truth: a Job is a hint that names one,
// and the ledger (package ledger) gives every row in flight its job again if the broker lost it.
//
// docs/flow.md tells the same in plain words.
package pipeline
