package protocol

import (
	"fmt"
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
		by := func(s *Spec) {
			v := parser.Virtual{CheckArgs: args}
			words := v.Arguments(s.Target.Addr().String(), fmt.Sprint(s.Target.Port()), "", "", "")
			*s = Spec{Type: "external", Target: s.Target, Timeout: inTime, Command: path,
				Args: strings.Join(words, "\x00")}
		}
		checkCells(t, good, []cell{
			{"good", by, "up: exit status 0: " + seen + "*"},
			{"refused", func(s *Spec) { s.Target = loopback(freePort(t)); by(s) }, "down: *"},
		})
	})
}
