package lab

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// inet is an address that ip(8) shows.
var inet = regexp.MustCompile(`inet6? (\S+)`)

// onDevice waits until a device has these addresses and no others.
func (l *lab) onDevice(device string, want ...string) {
	l.t.Helper()
	has := func() (got []string) {
		shown := l.runIn("dir", "ip", "addr", "show", device, "scope", "global")
		for _, found := range inet.FindAllStringSubmatch(shown, -1) {
			got = append(got, found[1])
		}
		slices.Sort(got)
		return got
	}
	l.await(10*time.Second, func() bool { return slices.Equal(has(), want) }, device, "has", func() string {
		return fmt.Sprint(has())
	}, "not", want)
}
