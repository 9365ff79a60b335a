package notify

import (
	"net/netip"
	"slices"
	"testing"

	"ldirectord/internal/lvs"
)

// Operators' programs read these words: none may change.
func TestTheCallsOfCommands(t *testing.T) {
	tcp := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")}
	for _, row := range []struct {
		hook          Hook
		lane, virtual string
		line          string
	}{
		{FallbackCommand("say", tcp, "start"), "tcp:10.1.0.1:80", "tcp:10.1.0.1:80",
			"say start 10.1.0.1:80 tcp"},
		{FallbackCommand("say", lvs.Key{Protocol: lvs.Mark, Mark: 3, IPv6: true}, "stop"), "fwm6:3", "fwm6:3",
			"say stop :0 fwm"},
		{OnChange("tell", "fwm:3", Report{Available: true, Up: 1, Servers: 2}), "onchange", "fwm:3",
			"tell fwm:3 available 1 2"},
		{OnChange("tell", "fwm:3", Report{Servers: 2}), "onchange", "fwm:3", "tell fwm:3 unavailable 0 2"},
	} {
		h, isCalled := row.hook, slices.Equal(row.hook.Argv, Shell(row.line))
		if h.Lane != row.lane || h.Virtual != row.virtual || !isCalled {
			t.Errorf("%+v, want %+v", h, row)
		}
	}
}
