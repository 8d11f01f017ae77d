// Package storetest is the contract of the records: one suite for every database that they may be kept in.
//
// A new backend is done when Run passes on it. What is peculiar to one database is tested beside that.
package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Acceptor is what accept needs of the records.
type Acceptor interface {
	Accept(ctx context.Context, subs []pipeline.Submission) ([]pipeline.Verdict, error)
	Notification(ctx context.Context, tenantID, id string) (*peal.Notification, []peal.Delivery, error)
	Cancel(ctx context.Context, tenantID, notificationID string) error
}

// Sender is what send and the ledger need of them.
type Sender interface {
	Claim(ctx context.Context, in *peal.Integration, ids []string, intent bool) (pipeline.Claimed, error)
	Record(ctx context.Context, attempts []peal.Attempt) ([]peal.Moved, error)
	Expire(ctx context.Context, rows []peal.Delivery) (int64, error)
	CancelOrphans(ctx context.Context, rows []peal.Delivery) (int64, error)
	PullIn(ctx context.Context, integrationID string) ([]pipeline.Job, error)
	InFlight(ctx context.Context, afterIntegration, afterDelivery string, limit int) ([]pipeline.InFlight, error)
	Depths(ctx context.Context) ([]peal.Depth, error)
}

// Tracker is what track needs of them.
type Tracker interface {
	Fold(ctx context.Context, evidence []peal.Evidence) (peal.Folded, error)
	DueChecks(ctx context.Context, integrationID string, by time.Time, unkeyed bool, limit int) ([]pipeline.Unkeyed, error)
	SetChecks(ctx context.Context, rows []pipeline.Unkeyed) error
	NoteStuck(ctx context.Context, rows []pipeline.Stuck) error
	Parked(ctx context.Context, integrationID string) (int, error)
	Sweep(ctx context.Context, parkedBefore time.Time) (givenUp int64, err error)
	Unreadable(ctx context.Context, integrationID string, received time.Time, reason string, sealed []byte) error
}

// Holder is what stands in for the broker's stream of webhooks.
type Holder interface {
	HoldCallback(ctx context.Context, integrationID string, received time.Time, sealed []byte) error
	HeldCallbacks(ctx context.Context, folded bool, after string, limit int) ([]pipeline.Held, error)
	HeldFolded(ctx context.Context, id string) error
	DropHeld(ctx context.Context, ids []string) error
}

// Replayer is what running kept webhooks through the parsers again needs of them.
type Replayer interface {
	UnreadableAfter(ctx context.Context, integrationIDs []string, after int64, since, until time.Time, limit int) ([]peal.Unreadable, error)
	UnreadableBy(ctx context.Context, id int64) (peal.Unreadable, error)
	WhyUnreadable(ctx context.Context, marks []string) (map[string]string, error)
	ForgetUnreadable(ctx context.Context, marks []string) (int64, error)
	Refold(ctx context.Context, evidence []peal.Retold) (peal.Refolded, error)
	AddReplay(ctx context.Context, r *peal.CallbackReplay) error
	SaveReplay(ctx context.Context, r *peal.CallbackReplay) error
	Replay(ctx context.Context, tenantID, id string) (peal.CallbackReplay, error)
	Replays(ctx context.Context, tenantID string, limit int) ([]peal.CallbackReplay, error)
	OpenReplay(ctx context.Context) (r peal.CallbackReplay, there bool, err error)
}

// Quotas is what accept needs of them to hold tenants to their limits, and to tell what waits.
type Quotas interface {
	SetLimits(ctx context.Context, tenantID string, l peal.TenantLimits) error
	TenantLimits(ctx context.Context, tenantID string) (peal.TenantLimits, error)
	InFlightOf(ctx context.Context, tenantID string, most int) (int, error)
	Pending(ctx context.Context, integrationID string) (map[peal.Priority]uint64, error)
	Recall(ctx context.Context, sub *pipeline.Submission) (pipeline.Verdict, bool, error)
}

// Reconciler is what looking for lost deliveries needs of them.
type Reconciler interface {
	DueFinds(ctx context.Context, integrationID string, by time.Time, limit int) ([]pipeline.Lost, error)
	ToldTo(ctx context.Context, tenantID string, recipients []string, since time.Time, limit int) ([]pipeline.Told, error)
	ToldAs(ctx context.Context, tenantID string, messageIDs []string) ([]pipeline.Told, error)
	Reconcile(ctx context.Context, findings []pipeline.Finding) (pipeline.Reconciled, error)
	UncertainCounts(ctx context.Context, tenantID string, f peal.UncertainFilter) (matched, expired int64, err error)
	ResolveAll(ctx context.Context, tenantID string, f peal.UncertainFilter, v peal.Verdict, limit int) (done int64, jobs []pipeline.Job, err error)
}

// Log is what people and programs ask of them.
type Log interface {
	Deliveries(ctx context.Context, tenantID string, f peal.LogFilter) ([]peal.Delivery, error)
	Delivery(ctx context.Context, tenantID, id string) (*peal.Delivery, []peal.Event, error)
	Resolve(ctx context.Context, tenantID, id string, as peal.Status, note string) (*pipeline.Job, error)
	DeadGroups(ctx context.Context, tenantID string) ([]peal.DeadGroup, error)
	DeadCounts(ctx context.Context, tenantID string, f peal.DeadFilter) (matched, expired int64, err error)
	Redrive(ctx context.Context, tenantID string, f peal.DeadFilter, limit int, pace peal.Pace) ([]pipeline.Job, error)
	Discard(ctx context.Context, tenantID string, f peal.DeadFilter, limit int) (int64, error)
}

// Register is who there is: tenants, their keys, users and integrations.
type Register interface {
	CreateTenant(ctx context.Context, tn peal.Tenant) error
	UpdateTenant(ctx context.Context, id string, name *string, disabled *bool) error
	Tenant(ctx context.Context, id string) (peal.Tenant, error)
	Tenants(ctx context.Context) ([]peal.Tenant, error)
	CreateKey(ctx context.Context, k peal.Key) error
	Key(ctx context.Context, id string) (peal.Key, error)
	Keys(ctx context.Context, tenantID string) ([]peal.Key, error)
	RevokeKey(ctx context.Context, tenantID, id string) error
	PutUser(ctx context.Context, tenantID string, u peal.User) error
	User(ctx context.Context, tenantID, id string) (peal.User, error)
	UserPhone(ctx context.Context, tenantID, id string) (phone, whatsappUserID string, err error)
	DeleteUser(ctx context.Context, tenantID, id string) error
	Integrations(ctx context.Context) ([]peal.SealedIntegration, error)
	CreateIntegration(ctx context.Context, in *peal.SealedIntegration) error
	UpdateIntegration(ctx context.Context, in *peal.SealedIntegration) error
	SetPause(ctx context.Context, id string, version int64, p *peal.Pause) (bool, error)
	DeleteIntegration(ctx context.Context, tenantID, id string) (canceled int, err error)
}

// Leases are who does what alone.
type Leases interface {
	Renew(ctx context.Context, node string, names []string) ([]string, error)
	Leases(ctx context.Context) ([]peal.Lease, error)
	Take(ctx context.Context, node string, seen []peal.Lease) ([]peal.Lease, error)
	Release(ctx context.Context, node string, names []string) error
	Beat(ctx context.Context, n peal.Node) ([]peal.Node, error)
	Leave(ctx context.Context, node string) error
}

// Store is the records as a whole.
type Store interface {
	Acceptor
	Sender
	Tracker
	Holder
	Replayer
	Quotas
	Reconciler
	Log
	Register
	Devices
	Contacts
	Keeper
	Leases
	Auditor
	Expander
	Endpoints
	Catalogues
	Teller
	Numbers
	OnDue(f func([]pipeline.Job))
	Explainer
	Watcher
	Ping(ctx context.Context) error
}

// Open gives a store that is empty and nobody else's, with the given clock; it closes it at the end of the test.
type Open func(t *testing.T, now func() time.Time) Store

type testCase struct {
	name string
	run  func(*bundle)
}

// Run holds a backend to the contract.
func Run(t *testing.T, open Open) {
	t.Helper()
	ran := 0
	for _, group := range []struct {
		name  string
		cases []testCase
	}{
		{"accept", acceptCases()}, {"send", sendCases()}, {"record", recordCases()}, {"fold", foldCases()},
		{"checks", checkCases()}, {"reconcile", reconcileCases()}, {"dead letters", deadCases()}, {"log", logCases()}, {"register", registerCases()},
		{"integrations", integrationCases()}, {"devices", deviceCases()}, {"contacts", contactCases()}, {"isolation", isolationCases()},
		{"leases", leaseCases()}, {"retention", retainCases()},
		{"held webhooks", heldCases()}, {"replays", replayCases()}, {"quotas", quotaCases()}, {"audit", auditCases()},
		{"expansions", expandCases()}, {"event log", noticeCases()}, {"numbers", numberCases()}, {"ladders", ladderCases()},
		{"explain", explainCases()}, {"watch", watchCases()}, {"templates", templateCases()}, {"endpoints", endpointCases()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(newBundle(t, open))
				})
			}
		})
		if len(group.cases) == 0 {
			t.Errorf("%s: there is not one case", group.name)
		}
		ran += len(group.cases)
	}
	if ran == 0 {
		t.Fatal("the suite ran no case")
	}
}

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}
