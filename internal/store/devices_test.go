package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
)

// TestDevicesOfSeveralNodes has apps of few users state few addresses at two nodes at once, while one is told that they are
// dead and users are forgotten: each call succeeds, and no address is ever on two installations.
func TestDevicesOfSeveralNodes(t *testing.T) {
	t.Parallel()
	url := postgres(t).URL(t)
	nodes := []*Store{openWith(t, Config{URL: url, NodeID: "a"}), openWith(t, Config{URL: url, NodeID: "b"})}
	var wg sync.WaitGroup
	for w := range 8 {
		s := nodes[w%len(nodes)]
		wg.Go(func() {
			for r := range 5 { // nodes that wait in a circle are told so after a second
				d := peal.Device{
					TenantID: "t", UserID: fmt.Sprintf("u%d", (w+r)%3), ID: fmt.Sprintf("i%d", (w*r)%4), Kind: peal.DeviceFCMToken,
					Address: fmt.Sprintf("a%d", (w+r*r)%3), Permission: peal.Granted,
				}
				if _, err := s.PutDevice(t.Context(), d); err != nil {
					t.Errorf("register: %v", err)
				}
				switch r % 4 {
				case 1:
					_, err := s.RetireDevices(t.Context(), []peal.Retirement{{
						TenantID: "t", DeviceID: d.ID, Kind: d.Kind, Address: d.Address, Verdict: peal.DeviceDead, Reason: "x", At: time.Now(),
					}})
					if err != nil {
						t.Errorf("retire: %v", err)
					}
				case 2:
					if err := s.DeleteUser(t.Context(), "t", d.UserID); err != nil && peal.KindOf(err) != peal.NotFound {
						t.Errorf("forget: %v", err)
					}
				case 3:
					if err := s.DevicesOK(t.Context(), "t", []string{"i0", "i1", "i2", "i3"}, time.Now()); err != nil {
						t.Errorf("reached: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	const homeless = `SELECT COUNT(*) FROM devices d WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = d.tenant_id AND u.user_id = d.user_id)`
	if n := count(t, nodes[0].reads, homeless); n != 0 {
		t.Errorf("%d devices are of nobody", n)
	}
	const twice = `SELECT COUNT(*) FROM (SELECT 1 FROM devices GROUP BY tenant_id, kind, address HAVING COUNT(*) > 1) x`
	if n := count(t, nodes[0].reads, twice); n != 0 {
		t.Errorf("%d addresses are on several installations", n)
	}
}
