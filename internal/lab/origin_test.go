package lab

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A server in a VRF passes its checks by checkdevice alone, and one to which the rules lead only marked packets by
// checkmark alone.
func TestKernelOrigin(t *testing.T) {
	l := newLabOf(t, 1)
	l.sh(`modprobe vrf
		ip -n %[1]sdir link add blue type vrf table 77; ip -n %[1]sdir link set blue up
		ip -n %[1]sdir link add br2 type bridge; ip -n %[1]sdir link set br2 master blue up
		ip -n %[1]sdir addr add 203.0.113.1/24 dev br2
		ip -n %[1]srs1 addr add 203.0.113.129/32 dev lo
		ip -n %[1]sdir rule add fwmark 7 lookup 78
		ip -n %[1]sdir route add 203.0.113.129/32 via 192.0.2.21 table 78`, l.prefix)
	l.join("rs1", "br2", "203.0.113.21/24")
	l.listen("rs1", ":80")
	section := func(port int, server, words string) string {
		return fmt.Sprintf("virtual = %s:%d\n\treal = %s:80 masq\n\t%s\n", natVIP, port, server,
			strings.ReplaceAll(words, "; ", "\n\t"))
	}
	const inVRF, marked = "203.0.113.21", "203.0.113.129"
	path := l.config("checktimeout = 2\n" +
		section(1, inVRF, "checktype = connect; checkdevice = blue") +
		section(2, inVRF, "checktype = ping; checkdevice = blue") +
		section(3, inVRF, "checktype = connect; checkdevice = blue; checksource = 203.0.113.1") +
		section(4, inVRF, "checktype = connect") +
		section(5, marked, "checktype = connect; checkmark = 7") +
		section(6, marked, "checktype = ping; checkmark = 7") +
		section(7, marked, "checktype = connect; checkmark = 8"))
	probed := l.run(1, path, "probe")
	for port, want := range []string{"up", "up", "up", "down", "up", "up", "down"} {
		line := ""
		for one := range strings.Lines(probed) {
			if strings.HasPrefix(one, fmt.Sprintf("tcp:%s:%d ", natVIP, port+1)) {
				line = one
			}
		}
		testkit.Contains(t, line, " "+want+" ", "port ", port+1, "\n", probed)
	}
}
