package plan

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/internal/testkit"
)

const reached = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:8080 masq\n\treal = 10.2.0.2:8081 masq\n" +
	"\treal = 10.2.0.2:8082 masq\n\tfallback = 10.2.0.9:81 masq\n\tchecktype = connect\n" +
	"virtual = 10.1.0.1:443\n\treal = 10.2.0.1:8443 masq\n\tchecktype = connect\n\tcheckport = 9000\n" +
	"\talsocheck = connect 9001\n" +
	"virtual = 10.1.0.2:443\n\treal = 10.2.0.1:8443 gate\n\tchecktype = connect\n" +
	"virtual = 10.1.0.3:443\n\treal = 10.2.0.1:8443 masq\n\tchecktype = connect\n\tprotocol = udp\n" +
	"virtual = 10.1.0.4:0\n\treal = 10.2.0.1 gate\n\tchecktype = ping\n\tpersistent = 60\n" +
	"virtual = 7\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n\tmark = 10.1.0.16/30 all all\n" +
	"virtual = 8\n\treal = 10.2.0.1:8088 masq\n\tchecktype = connect\n\tmark = 10.1.0.32/28 tcp 80\n" +
	"virtual = 9\n\treal = 10.2.0.1:8089 masq\n\tchecktype = connect\n\tmark = 10.1.0.34 tcp 80\n" +
	"virtual = 10.1.0.34:80\n\treal = 10.2.0.1:8090 masq\n\tchecktype = connect\n"

func TestAtWhichPortAServerIsReached(t *testing.T) {
	p, found := planned(t, reached, neverChecked)
	if found.HasErrors() {
		t.Fatal(found)
	}
	virtuals := p.Virtuals()
	for _, row := range testkit.Table(t, "testdata/ports.txt", 4) {
		port, isChecked := virtuals.PortOf(netip.MustParseAddrPort(row[1]), netip.MustParseAddrPort(row[2]))
		got := fmt.Sprint(port)
		if port == 0 {
			got = "none"
		}
		if isChecked {
			got += " checked"
		}
		testkit.Equal(t, got, row[3], row[0])
	}
}
