// Package send is the third stage: it takes jobs at the pace that each integration allows, calls the provider, and
// records what came of it before it lets the job go.
//
// Each integration has one queue, and its queue one owner at a time: the lane of the node that has the integration's
// lease. It takes from the queue's three priorities by turns, waits for its limit, claims the rows that its jobs name
// (which writes the intent), calls with bounded concurrency, and hands the outcomes to its recorder. A row that a job
// finds already in state sending was being sent when its owner died: its outcome is unknown.
package send
