package track

import (
	"fmt"
	"runtime/debug"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// guard runs a step on somebody else's words; a panic of it is an error like any other, so that what brought it about is
// set aside after a few tries, and the stage goes on.
func (f *Folder) guard(step string, run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			f.Log.Error("track panicked; it goes on", "step", step, "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("the code of %s failed on it: %s", step, peal.PanicText(p))
		}
	}()
	return run()
}

// keepEach writes what look-ups found one by one, so that one that cannot be written does not stand in the way of the
// others. After a few tries such a message is asked after no more.
func (c *Checker) keepEach(evidence []*peal.Evidence, rows []pipeline.Unkeyed) error {
	for i, e := range evidence {
		if e == nil {
			continue
		}
		err := c.Folder.write([]peal.Evidence{*e})
		c.mu.Lock()
		if err == nil {
			delete(c.failed, e.DeliveryID)
		} else if c.failed[e.DeliveryID]++; c.failed[e.DeliveryID] >= maxTries {
			delete(c.failed, e.DeliveryID)
			rows[i].CheckAt = time.Time{}
		} else {
			rows[i].CheckAt = c.Now().Add(checkAgain)
		}
		c.mu.Unlock()
		if err != nil {
			c.Log.Error("what a look-up found could not be written", "delivery_id", e.DeliveryID, "asked_again", !rows[i].CheckAt.IsZero(), "error", err)
		}
	}
	return nil
}
