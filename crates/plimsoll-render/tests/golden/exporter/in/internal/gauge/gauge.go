// Package gauge tells how busy simulated devices are.
package gauge

import "fmt"

// Utilization is how busy a device is, in percent.
func Utilization(device int) int {
	return (device*37 + 11) % 100
}

// Exposition is what Prometheus reads.
func Exposition(devices int) string {
	text := "# TYPE device_utilization_percent gauge\n"
	for device := range devices {
		text += fmt.Sprintf("device_utilization_percent{device=\"%d\"} %d\n", device, Utilization(device))
	}
	return text
}
