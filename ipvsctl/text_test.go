package ipvsctl

import (
	"net/netip"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func TestOpReadsAsIpvsadmTakesIt(t *testing.T) {
	for _, line := range []string{
		"-A -t 10.1.0.1:80 -s wrr",
		"-A -u 10.1.0.1:80 -s sh -p 100 -M 255.255.0.0 --pe sip -o -b sh-fallback,sh-port",
		"-A --sctp-service 10.1.0.1:80 -s rr",
		"-E -t [fd00::1]:80 -s rr -p 60 -M 64",
		"-E -f 7 -s mh -p 5 -b mh-fallback,mh-port,flag-3",
		"-E -f 4294967295 -6 -s wlc -p 1 -b flag-1,flag-2",
		"-D -t 10.1.0.1:80",
		"-D -f 7 -6",
		"-a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 70000 -x 100 -y 20",
		"-a -f 7 -r 10.2.0.1:0 -g -w 0",
		"-a -t [fd00::1]:80 -r 10.2.0.1:80 -i -w 1",
		"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
		"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
		"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 1 --tun-type gre --tun-csum",
		"-d -t [fd00::1]:80 -r [fd00::2]:80",
	} {
		testkit.Equal(t, parseOp(t, line).String(), line)
	}
}

func TestWhatIpvsadmCannotSayIsStillReadable(t *testing.T) {
	dest := lvs.Dest{Addr: netip.MustParseAddrPort("10.2.0.1:80")}
	for _, c := range []struct{ got, want string }{
		{lvs.Op{Kind: 9}.String(), "unknown operation 9"},
		{lvs.Key{Protocol: 99, Addr: dest.Addr}.String(), "protocol 99 10.2.0.1:80"},
		{lvs.Dest{Addr: dest.Addr, Forward: lvs.Local}.String(), "-r 10.2.0.1:80 -g -w 0"},
		{lvs.Dest{Addr: dest.Addr, Forward: lvs.Tunnel, Encap: lvs.Encap{Type: 9}}.String(),
			"-r 10.2.0.1:80 -i -w 0 --tun-type 9 --tun-nocsum"},
		{lvs.VirtualService{Key: lvs.Key{Mark: 3}, Settings: lvs.Settings{Scheduler: "rr"}}.String(),
			"-f 3 -s rr"},
	} {
		testkit.Equal(t, c.got, c.want)
	}
}

func TestFormatSortsAsIpvsadmDoes(t *testing.T) {
	sorted := []string{
		"-A -t 10.1.0.1:80 -s sh -p 300",
		"-a -t 10.1.0.1:80 -r 9.9.9.9:80 -m -w 1",
		"-a -t 10.1.0.1:80 -r 10.2.0.1:9 -m -w 1",
		"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1",
		"-A -t 10.1.0.1:100 -s rr",
		"-A -u 10.1.0.1:80 -s rr -o",
		"-A --sctp-service 10.1.0.1:80 -s rr",
		"-A -t [fd00::1]:80 -s rr",
		"-A -f 7 -s rr",
		"-A -f 7 -6 -s rr",
		"-A -f 8 -s rr",
	}
	testkit.Equal(t, lvs.Format(tableOf(t, sorted...)), strings.Join(sorted, "\n")+"\n")
	testkit.Equal(t, lvs.Format(nil), "", "an empty table")
}
