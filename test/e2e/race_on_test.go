//go:build race

package e2e_test

// underRace says that everything takes several times longer: what is about numbers makes do with fewer.
const (
	underRace = true
	slower    = 1
)
