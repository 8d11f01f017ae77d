package api

import (
	"encoding/json"
	"time"
)

// Scopes of an API key. Admin includes the others.
const (
	ScopeSend    = "send"    // accept and cancel notifications, keep users
	ScopeRead    = "read"    // look at notifications, deliveries, dead letters, devices
	ScopeDevices = "devices" // keep users' devices, report receipts for them
	ScopeAdmin   = "admin"   // integrations, keys, dead letters
)

// TenantHeader names the tenant that an operator's request is for.
const TenantHeader = "Peal-Tenant"

// TenantRequest creates a tenant.
type TenantRequest struct {
	ID   string `json:"id,omitempty" maxLength:"64" pattern:"^[a-z0-9][a-z0-9-]*$" patternDescription:"lower case letters, digits and hyphens, such as acme-2" doc:"Yours to choose; made up when absent"`
	Name string `json:"name" minLength:"1" maxLength:"128"`
}

// TenantPatch changes a tenant; what is absent stays.
type TenantPatch struct {
	Name     *string `json:"name,omitempty" minLength:"1" maxLength:"128"`
	Disabled *bool   `json:"disabled,omitempty" doc:"Its keys are refused and nothing new is accepted; what was accepted still goes out"`
	Limits   *Limits `json:"limits,omitempty" doc:"Replaces the tenant's limits; what they leave out is the installation's"`
}

// Limits are a tenant's own bounds. What is absent is the installation's, 0 is no limit.
type Limits struct {
	Rate   *int `json:"rate,omitempty" minimum:"0" maximum:"1000000" doc:"Notifications per second"`
	Queued *int `json:"queued,omitempty" minimum:"0" maximum:"1000000000" doc:"Deliveries that may wait or be in flight"`
}

// Tenant is one customer of the installation.
type Tenant struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Disabled  bool      `json:"disabled,omitempty"`
	Limits    *Limits   `json:"limits,omitempty" doc:"Its own, where it has any"`
	CreatedAt time.Time `json:"created_at"`
}

// TenantList is the answer of GET /v1/tenants.
type TenantList struct {
	Tenants []Tenant `json:"tenants"`
}

// KeyRequest creates an API key.
type KeyRequest struct {
	Name      string     `json:"name" minLength:"1" maxLength:"128"`
	Scopes    []string   `json:"scopes" minItems:"1" maxItems:"4" enum:"send,read,devices,admin"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Key is an API key; Secret is there only in the answer that created it.
type Key struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	Secret    string     `json:"secret,omitempty" doc:"The key itself, shown once"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// KeyList is the answer of GET /v1/keys.
type KeyList struct {
	Keys []Key `json:"keys"`
}

// UserRequest is the body of PUT /v1/users/{id}: the full truth about a user.
type UserRequest struct {
	Phone          string          `json:"phone,omitempty" doc:"E.164" example:"+919812345678"`
	WhatsAppUserID string          `json:"whatsapp_user_id,omitempty" maxLength:"140" doc:"For whatsapp_cloud, where the number is not known" example:"US.13491208655302741918"`
	Email          string          `json:"email,omitempty" maxLength:"254" example:"raju@example.com"`
	Locale         string          `json:"locale,omitempty" maxLength:"35" doc:"BCP 47" example:"en-IN"`
	TimeZone       string          `json:"time_zone,omitempty" maxLength:"64" doc:"IANA" example:"Asia/Kolkata"`
	Attributes     json.RawMessage `json:"attributes,omitempty" doc:"An object of yours, up to 8 KB"`
}

// User is a person the tenant wants to reach, named by the tenant's own id.
type User struct {
	ID             string          `json:"id"`
	Phone          string          `json:"phone,omitempty"`
	WhatsAppUserID string          `json:"whatsapp_user_id,omitempty"`
	Email          string          `json:"email,omitempty"`
	Locale         string          `json:"locale,omitempty"`
	TimeZone       string          `json:"time_zone,omitempty"`
	Attributes     json.RawMessage `json:"attributes,omitempty"`
	UpdatedAt      time.Time       `json:"updated_at"`
}
