package bell_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"peal/internal/bell"
)

func TestBell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := bell.New(), bell.New()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		passed := map[string]int{}
		go here.Pass(ctx, time.Second, func(key string) { passed[key]++; there.Heard(key) })
		rings := func(c <-chan struct{}) int {
			select {
			case <-c:
				return 1
			default:
				return 0
			}
		}
		a, stop := here.Watch("a")
		far, stopFar := there.Watch("a")
		defer stopFar()
		for range 3 {
			here.Ring([]string{"a", "b"})
		}
		synctest.Wait()
		if rings(a) != 1 || rings(a) != 0 || rings(far) != 1 || passed["a"] != 1 || passed["b"] != 1 {
			t.Errorf("three rings at once were passed on as %v", passed)
		}
		for range 3 {
			here.Ring([]string{"a"})
		}
		synctest.Wait()
		if rings(far) != 0 {
			t.Error("it was passed on again at once")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if rings(far) != 1 || passed["a"] != 2 {
			t.Errorf("what was rung meanwhile was passed on as %v", passed)
		}
		stop()
		rings(a)
		here.Ring([]string{"a"})
		if rings(a) != 0 {
			t.Error("who has stopped was woken")
		}
	})
}
