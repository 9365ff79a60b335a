package parser

import (
	"net/netip"
	"testing"
)

func sumOf(t *testing.T, text, host, addr string) string {
	t.Helper()
	names := answers{}
	if addr != "" {
		names["web1"] = []netip.Addr{netip.MustParseAddr(addr)}
	}
	cfg, found := Parse(t.Context(), "ld.cf", []byte(text), Options{Resolver: names, HostName: host})
	if cfg == nil || found.HasErrors() {
		t.Fatalf("%s\n%v", text, found)
	}
	return cfg.Sum()
}

func TestSumIsOfWhatDirectorsDo(t *testing.T) {
	const virtual = "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n\treal=192.0.2.3:80 masq\n\tservice=http\n"
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{virtual, virtual, true},
		{virtual, "# a comment\n" + virtual + "\tcomment=of mine\n", true},
		{"listen=192.0.2.5:9797\nstatushost=d1\nlogfile=\"/var/log/d1\"\nemailalertfrom=\"d1@example.org\"\n" +
			virtual,
			"listen=192.0.2.6:9797\nlogfile=\"local0\"\n" + virtual, true},
		{"checkinterval=10\n" + virtual, virtual + "\tcheckinterval=10\n", true},
		{"checktimeout=5\nnegotiatetimeout=30\n" + virtual, virtual, true},
		{virtual + "\thttpuser=\"a\"\n\thttppasswd=\"b\"\n", virtual + "\thttpuser=\"c\"\n\thttppasswd=\"d\"\n",
			true},
		{virtual + "\thttpuser=\"a\"\n\thttppasswd=\"b\"\n", virtual, false},
		{virtual + "\thttpheader=\"X-Key: b\"\n", virtual + "\thttpheader=\"X-Key: d\"\n", true},
		{virtual + "\thttpheader=\"X-Key: b\"\n", virtual + "\thttpheader=\"X-Name: b\"\n", false},
		{virtual, virtual + "\tcheckinterval=11\n", false},
		{virtual, virtual + "\tscheduler=rr\n", false},
		{virtual, "virtual=192.0.2.1:80\n\treal=192.0.2.3:80 masq\n\treal=192.0.2.2:80 masq\n\tservice=http\n",
			false},
		{virtual, virtual + "\treal=192.0.2.4:80 masq 2\n", false},
		{virtual, "autoreload=yes\n" + virtual, false},
	} {
		if same := sumOf(t, c.one, "d1", "") == sumOf(t, c.other, "d1", ""); same != c.same {
			t.Errorf("same: %t\n%s\n%s", same, c.one, c.other)
		}
	}
	ftp := "virtual=192.0.2.1:21\n\treal=web1:21 masq\n\tservice=ftp\n"
	if one, other := sumOf(t, ftp, "d1", "192.0.2.2"), sumOf(t, ftp, "d2", "192.0.2.3"); one != other ||
		len(one) != 16 {
		t.Errorf("the names of directors and the addresses of servers count: %s, %s", one, other)
	}
}
