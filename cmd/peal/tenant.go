package main

import (
	"context"
	"strconv"

	"peal/api"
)

// TenantCmd is `peal tenant`.
type TenantCmd struct {
	Create  TenantCreateCmd  `cmd:"" help:"Make a tenant."`
	List    TenantListCmd    `cmd:"" help:"List the tenants."`
	Show    TenantShowCmd    `cmd:"" help:"Show one tenant."`
	Update  TenantUpdateCmd  `cmd:"" help:"Rename a tenant, or give it limits of its own."`
	Disable TenantDisableCmd `cmd:"" help:"Refuse a tenant's keys; what was accepted still goes out."`
	Enable  TenantEnableCmd  `cmd:"" help:"Take a tenant's keys again."`

	Conn `embed:"" group:"conn"`
}

// Help gives an example.
func (TenantCmd) Help() string {
	return "Example:\n\n  PEAL_API_KEY=$PEAL_OPERATOR_KEY peal tenant create 'Acme Ltd' --id acme"
}

// TenantCreateCmd is `peal tenant create`.
type TenantCreateCmd struct {
	Name string `arg:"" help:"Its name."`
	ID   string `name:"id" placeholder:"ID" help:"Its id: a-z, 0-9 and -; made up when absent."`
}

// Help gives an example.
func (TenantCreateCmd) Help() string { return TenantCmd{}.Help() }

// Run makes a tenant.
func (c *TenantCreateCmd) Run(ctx context.Context, t *term, parent *TenantCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	tenant, err := cl.CreateTenant(ctx, api.TenantRequest{ID: c.ID, Name: c.Name})
	if err != nil {
		return err
	}
	return t.tenants(parent.JSON, tenant, *tenant)
}

// TenantListCmd is `peal tenant list`.
type TenantListCmd struct{}

// Help gives an example.
func (TenantListCmd) Help() string { return "Example:\n\n  peal tenant list" }

// Run lists tenants.
func (c *TenantListCmd) Run(ctx context.Context, t *term, parent *TenantCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	list, err := cl.Tenants(ctx)
	if err != nil {
		return err
	}
	return t.tenants(parent.JSON, list, list.Tenants...)
}

// TenantShowCmd is `peal tenant show`.
type TenantShowCmd struct {
	ID string `arg:"" help:"Id of the tenant."`
}

// Help gives an example.
func (TenantShowCmd) Help() string { return "Example:\n\n  peal tenant show acme" }

// Run shows a tenant.
func (c *TenantShowCmd) Run(ctx context.Context, t *term, parent *TenantCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	tenant, err := cl.Tenant(ctx, c.ID)
	if err != nil {
		return err
	}
	return t.tenants(parent.JSON, tenant, *tenant)
}

// TenantUpdateCmd is `peal tenant update`.
type TenantUpdateCmd struct {
	ID        string `arg:"" help:"Id of the tenant."`
	Name      string `name:"name" placeholder:"NAME" help:"Its new name."`
	Rate      string `name:"rate" placeholder:"COUNT" help:"Notifications per second that it may send; 0 for no limit, default for the installation's."`
	MaxQueued string `name:"max-queued" placeholder:"COUNT" help:"Deliveries that it may have waiting; 0 for no limit, default for the installation's."`
}

// Help gives examples.
func (TenantUpdateCmd) Help() string {
	return "Examples:\n\n  peal tenant update acme --rate 200 --max-queued 100000\n  peal tenant update acme --rate default"
}

// Run changes a tenant. Limits are replaced as a whole, so what is not named is read first.
func (c *TenantUpdateCmd) Run(ctx context.Context, t *term, parent *TenantCmd) error {
	if c.Name == "" && c.Rate == "" && c.MaxQueued == "" {
		return usagef("nothing to change: give --name, --rate or --max-queued")
	}
	cl, err := parent.client()
	if err != nil {
		return err
	}
	patch := api.TenantPatch{}
	if c.Name != "" {
		patch.Name = &c.Name
	}
	if c.Rate != "" || c.MaxQueued != "" {
		patch.Limits = &api.Limits{}
		tenant, err := cl.Tenant(ctx, c.ID)
		if err != nil {
			return err
		}
		if tenant.Limits != nil {
			patch.Limits = tenant.Limits
		}
		if err := setLimit(&patch.Limits.Rate, "rate", c.Rate); err != nil {
			return err
		}
		if err := setLimit(&patch.Limits.Queued, "max-queued", c.MaxQueued); err != nil {
			return err
		}
	}
	tenant, err := cl.UpdateTenant(ctx, c.ID, patch)
	if err != nil {
		return err
	}
	return t.tenants(parent.JSON, tenant, *tenant)
}

// setLimit reads a limit's flag; one that was not given leaves the limit as it is.
func setLimit(limit **int, flag, value string) error {
	switch value {
	case "":
		return nil
	case "default":
		*limit = nil
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return usagef("--%s %q is no count; give a number, 0 for no limit, or default", flag, value)
	}
	*limit = &n
	return nil
}

// limitText is how a limit is shown: a number, none, or a dash for the installation's.
func limitText(limits *api.Limits, of func(*api.Limits) *int) string {
	if limits == nil || of(limits) == nil {
		return "-"
	}
	if n := *of(limits); n > 0 {
		return strconv.Itoa(n)
	}
	return "none"
}

// TenantDisableCmd is `peal tenant disable`.
type TenantDisableCmd struct {
	ID string `arg:"" help:"Id of the tenant."`
}

// Help gives an example.
func (TenantDisableCmd) Help() string { return "Example:\n\n  peal tenant disable acme" }

// Run disables a tenant.
func (c *TenantDisableCmd) Run(ctx context.Context, t *term, parent *TenantCmd) error {
	return setDisabled(ctx, t, parent, c.ID, true)
}

// TenantEnableCmd is `peal tenant enable`.
type TenantEnableCmd struct {
	ID string `arg:"" help:"Id of the tenant."`
}

// Help gives an example.
func (TenantEnableCmd) Help() string { return "Example:\n\n  peal tenant enable acme" }

// Run enables a tenant.
func (c *TenantEnableCmd) Run(ctx context.Context, t *term, parent *TenantCmd) error {
	return setDisabled(ctx, t, parent, c.ID, false)
}

func setDisabled(ctx context.Context, t *term, parent *TenantCmd, id string, disabled bool) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	tenant, err := cl.UpdateTenant(ctx, id, api.TenantPatch{Disabled: &disabled})
	if err != nil {
		return err
	}
	return t.tenants(parent.JSON, tenant, *tenant)
}

// tenants prints tenants: doc for scripts, a table otherwise.
func (t *term) tenants(asJSON bool, doc any, tenants ...api.Tenant) error {
	if asJSON {
		return t.json(doc)
	}
	rows := make([][]string, len(tenants))
	for i, tenant := range tenants {
		state := "enabled"
		if tenant.Disabled {
			state = "disabled"
		}
		rows[i] = []string{
			tenant.ID, tenant.Name, state,
			limitText(tenant.Limits, func(l *api.Limits) *int { return l.Rate }),
			limitText(tenant.Limits, func(l *api.Limits) *int { return l.Queued }), t.shortTime(tenant.CreatedAt),
		}
	}
	return t.table([]string{"ID", "NAME", "STATE", "RATE", "MAX QUEUED", "CREATED"}, rows)
}
