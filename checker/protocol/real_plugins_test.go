package protocol

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/parser"
)

// checkPlugin has a server that is up checked by a plugin of Nagios, with checkcommand and checkargs, and then a port
// at which there is none. Seen begins what the plugin says of the first.
func checkPlugin(t *testing.T, good Spec, plugin, args, seen string) {
	t.Helper()
	t.Run(plugin, func(t *testing.T) {
		path := needProgram(t, "/usr/lib/nagios/plugins/"+plugin, "monitoring-plugins-basic")
		for to, want := range map[netip.AddrPort]string{
			good.Target: "up: exit status 0: " + seen + "*", loopback(freePort(t)): "down: *",
		} {
			v := parser.Virtual{CheckArgs: args}
			words := v.Arguments(to.Addr().String(), fmt.Sprint(to.Port()), "", "", "")
			expect(t, checked(t, Spec{Type: "external", Target: to, Timeout: inTime, Command: path,
				Args: strings.Join(words, "\x00")}), want)
		}
	})
}
