package e2e_test

import (
	"strconv"
	"strings"
	"testing"
)

// metric sums up a family's samples whose labels contain all of the given texts, such as `status="read"`.
func (s *server) metric(t *testing.T, family string, labels ...string) float64 {
	t.Helper()
	text, err := s.operator(t).Metrics(t.Context())
	if err != nil {
		t.Fatalf("metrics: %v", err)
	}
	sum := 0.0
lines:
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, " ")
		name, in, _ := strings.Cut(name, "{")
		if name != family {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(in, l) {
				continue lines
			}
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		if err != nil {
			t.Fatalf("metrics: %q: %v", line, err)
		}
		sum += v
	}
	return sum
}
