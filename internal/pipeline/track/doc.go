// Package track is the fourth stage: it takes the providers' webhooks and folds them into the records.
//
// A webhook is kept first, sealed and synced, and answered at once; understanding it comes after (Door, then Folder).
// Some providers name a message otherwise in their webhooks than in the answer to its send; the Checker joins the two by
// looking messages up, and asks after messages of which nothing was heard.
package track
