package app

import (
	"time"

	"peal/internal/catalogue"
	"peal/internal/httpapi"
	"peal/internal/outbound"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
	"peal/internal/pipeline/audit"
	"peal/internal/pipeline/ledger"
	"peal/internal/pipeline/route"
	"peal/internal/pipeline/send"
	"peal/internal/pipeline/track"
	"peal/internal/provider/all"
	"peal/internal/vault"
	"peal/web"
)

// stages builds the pipeline and its doors.
func (a *App) stages(v *vault.Vault, after map[peal.DeviceKind]time.Duration) {
	a.sending()
	a.tracking(v, after)
	a.telling(v)
	a.serving(v, a.routing())
}

// sending builds what keeps jobs and sends them.
func (a *App) sending() {
	a.ledger = ledger.New(ledger.Config{
		Records: a.store, Jobs: a.stream, Integrations: a.directory, Metrics: a.metrics, Log: a.log, Every: a.cfg.LedgerEvery,
		Now: a.clock.Now,
	})
	a.waker.Store(a.ledger)
	a.auditor = audit.New(audit.Config{
		Records: a.store, Retained: a.store, Jobs: a.ledger, Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	})
	a.service.CallWith(a.env())
	templates := catalogue.Config{
		Records: a.store, Integrations: a.directory, Env: a.env(), Tell: a.stream.Changed, Notices: a.store,
		Log: a.log, Now: a.clock.Now,
	}
	if a.has(peal.RoleSend) {
		templates.Jobs = a.stream
	}
	a.catalogue = catalogue.New(templates)
	a.send = send.New(send.Config{
		Own: a.own, Refuse: a.refuse, Integrations: a.directory, Records: a.store, Devices: a.store, People: a.store, Queues: a.stream, Env: a.env(),
		Templates: a.catalogue, Metrics: a.metrics, Log: a.log,
		Now: a.clock.Now,
	})
}

// tracking builds what takes in what comes back, and what looks after the records.
func (a *App) tracking(v *vault.Vault, after map[peal.DeviceKind]time.Duration) {
	a.sightings = track.NewSightings(a.store, a.log, a.clock.Now)
	a.watcher = &track.Watcher{
		Integrations: a.directory, Records: a.store, Env: a.env(), Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	}
	a.folder = &track.Folder{
		Integrations: a.directory, Records: a.store, People: a.store, Jobs: a.stream, Callbacks: a.stream, Held: a.store, Archive: a.stream, Sealer: v, Metrics: a.metrics, Log: a.log,
		Templates: a.catalogue, Numbers: a.store, Sightings: a.sightings, Now: a.clock.Now,
	}
	a.checker = track.NewChecker(track.CheckerConfig{
		Integrations: a.directory, Checks: a.store, Lost: a.store, Jobs: a.stream, Folder: a.folder, Env: a.env(),
		Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	})
	a.folder.Parked = a.checker.Urge
	a.retainer = &track.Retainer{Records: a.store, Retention: a.cfg.Retention, Events: a.cfg.EventRetention, Log: a.log, Now: a.clock.Now}
	a.numbers = &track.NumberWatch{
		Integrations: a.directory, Records: a.store, Env: a.env(), Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	}
	a.archive()
	a.unseen = &track.Unseen{Records: a.store, After: after, Log: a.log, Now: a.clock.Now}
}

// telling builds what tells tenants of what happens.
func (a *App) telling(v *vault.Vault) {
	a.outbound = outbound.New(outbound.Config{
		Own: a.call, Records: a.store, Events: a.store, Watch: a.bell.Watch, Poll: pollEvents, Vault: v, Guard: a.guard, Metrics: a.metrics, Log: a.log, Version: Version, Now: a.clock.Now,
	})
	a.told = &outbound.Retainer{Records: a.store, Log: a.log, Now: a.clock.Now}
	a.stream.OnGrown(a.bell.Heard)
}

// routing builds what plans.
func (a *App) routing() *route.Planner {
	planner := &route.Planner{Integrations: a.directory, Users: a.store, Devices: a.store, Templates: a.catalogue, People: a.store}
	a.expander = route.NewExpander(route.ExpanderConfig{
		Planner: planner, Records: a.store, Usage: a.store, Queues: a.stream, Reload: a.directory.Reload, Queued: a.cfg.TenantMaxQueued,
		Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	})
	a.stream.OnExpand(a.expander.Wake)
	return planner
}

// serving builds what requests come to.
func (a *App) serving(v *vault.Vault, planner *route.Planner) {
	accepting := func() int { return a.leases.Count(peal.RoleAccept) }
	a.quotas = accept.NewQuotas(accept.QuotasConfig{
		Usage: a.store, Nodes: accepting, Rate: a.cfg.TenantRate, Queued: a.cfg.TenantMaxQueued, Log: a.log,
	})
	a.replays = accept.NewReplays(a.store, a.log)
	a.queues = accept.NewQueues(accept.QueuesConfig{
		Waiting: a.stream, Accounts: a.directory, Nodes: accepting, Log: a.log, Now: a.clock.Now,
	})
	a.api = httpapi.New(httpapi.Config{
		Accept: accept.New(accept.Config{
			Planner: planner, Records: a.store, Jobs: a.stream, Metrics: a.metrics, Quotas: a.quotas, Recall: a.store, Queues: a.queues, Replays: a.replays,
			Expand: func() { a.expander.Wake(); a.stream.Expand() }, Log: a.log, Now: a.clock.Now,
		}),
		Log: a.log, Deliveries: a.store, DeadLetters: a.store, Uncertain: a.store, Explained: a.store, Watches: a.store, Heard: a.sightings.Session, Tenants: a.store, Keys: a.store, Users: a.store,
		Devices: a.store, Inbound: a.store, Contacts: a.store, Templates: a.catalogue, UserKeys: a.store, Evidence: a.store, Vault: v, Kinds: all.Kinds(),
		Audit: a.auditor, Backup: a.Backup, Replays: a.store, Replay: a.replayer.Wake,
		Callbacks:    &track.Reader{Folder: a.folder, Library: a.stream, Unreadables: a.store},
		Integrations: a.service, Endpoints: a.endpoints(v), Jobs: a.stream, Metrics: a.metrics, Events: a.store, Waker: a.bell, Docs: web.DocsHandler(), Client: web.Client(), Ready: a.ready,
		Numbers: a.store,
		Quotas:  a.quotas, Queues: a.queues, Now: a.clock.Now,
		Door: &track.Door{
			Integrations: a.directory, Keeper: a.stream, Holder: a.store, Sealer: v, Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
			Sightings: a.sightings,
		},
		HealthOnly: !a.has(peal.RoleAccept), OperatorKey: string(a.cfg.OperatorKey), PublicURL: a.publicURL, MetricsOpen: a.cfg.MetricsOpen,
		MaxBody: a.cfg.MaxBodyBytes, MaxBatch: a.cfg.MaxBatchBytes, MaxAccepts: int64(a.cfg.AcceptQueue), Version: Version,
	})
}

// pollEvents is how often an endpoint looks whether its tenant's log has grown, should a ring of the bell be lost.
const pollEvents = 5 * time.Second

// endpoints are the tenants' own, as the API keeps them.
func (a *App) endpoints(v *vault.Vault) *outbound.Service {
	return outbound.NewService(outbound.ServiceConfig{
		Register: a.store, Listed: a.store, Switch: a.store, Replays: a.store, Log: a.store, Vault: v, Guard: a.guard, Stage: a.outbound,
		Changed: func() { a.outbound.Reread(); a.stream.Changed() }, Now: a.clock.Now,
	})
}
