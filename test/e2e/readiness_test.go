package e2e_test

// readiness is what /readyz says.
type readiness struct {
	Status   string
	Failing  []string
	Degraded []string
}
