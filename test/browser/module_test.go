package browser

import "testing"

// TestModule tries the module in one browser; each test has an app on an origin of its own there, and a Peal of its own.
func TestModule(t *testing.T) {
	browser := start(t)
	for _, c := range []struct {
		name string
		test func(t *testing.T, w *world)
	}{
		{"push", testPush},
		{"buttons", testButtons},
		{"outage", testOutage},
		{"sync", testSync},
		{"stale token", testStaleToken},
		{"unreportable", testUnreportable},
		{"bound", testBound},
		{"permission taken", testPermissionTaken},
		{"key changed", testKeyChanged},
		{"subscription change", testSubscriptionChange},
		{"unsubscribe", testUnsubscribe},
		{"login", testLogin},
		{"before subscribe", testBeforeSubscribe},
		{"silent", testSilent},
		{"foreign", testForeign},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, setup(t, browser)) })
	}
}
