package api

// Session is the state of an integration's WhatsApp session, asked of the provider.
type Session struct {
	IntegrationID string `json:"integration_id"`
	State         string `json:"state" doc:"The provider's word: connecting, connected, disconnected, need_scan, logged_out, expired"`
	Connected     bool   `json:"connected" doc:"Whether it sends"`
	QR            string `json:"qr,omitempty" doc:"What the QR code says that a phone is to scan now; only of connect and qr. Another one takes its place within a minute. Whoever has it can take the session: keep it to yourself"`
}
