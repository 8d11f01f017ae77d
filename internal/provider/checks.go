package provider

import (
	"slices"
	"time"

	"peal/internal/peal"
)

// ChecksOf are the times after a send at which an integration's messages are looked up if no receipt has come: its kind's,
// and its own receipt timeout.
func ChecksOf(in *peal.Integration, d Defaults) []time.Duration {
	if in.ReceiptTimeout <= 0 || slices.Contains(d.Checks, in.ReceiptTimeout) {
		return d.Checks
	}
	checks := append(slices.Clone(d.Checks), in.ReceiptTimeout)
	slices.Sort(checks)
	return checks
}
