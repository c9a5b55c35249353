package gauge

import "testing"

func TestUtilizationIsAPercentage(t *testing.T) {
	for device := range 1000 {
		if busy := Utilization(device); busy < 0 || busy >= 100 {
			t.Errorf("device %d: %d", device, busy)
		}
	}
}
