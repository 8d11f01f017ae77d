package outbound

// Rouse has all workers look at the clock.
func (s *Stage) Rouse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		w.rouse()
	}
}
