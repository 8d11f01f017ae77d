package main

import (
	"context"

	"peal/api"
)

// TenantCmd is `peal tenant`.
type TenantCmd struct {
	Create  TenantCreateCmd  `cmd:"" help:"Make a tenant."`
	List    TenantListCmd    `cmd:"" help:"List the tenants."`
	Show    TenantShowCmd    `cmd:"" help:"Show one tenant."`
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
		rows[i] = []string{tenant.ID, tenant.Name, state, t.shortTime(tenant.CreatedAt)}
	}
	return t.table([]string{"ID", "NAME", "STATE", "CREATED"}, rows)
}
