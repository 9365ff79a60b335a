package parser

import (
	"ldirectord/internal/testkit"
	"net/netip"
	"strings"
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
	file := strings.NewReplacer("; ", "\n", "> ", "\t",
		"USUAL", "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n\treal=192.0.2.3:80 masq\n\tservice=http")
	for _, row := range testkit.Table(t, "../testdata/parser/sums.txt", 3) {
		one, other := sumOf(t, file.Replace(row[0]), "d1", ""), sumOf(t, file.Replace(row[1]), "d1", "")
		testkit.Equal(t, one == other, row[2] == "same", row)
	}
	ftp := "virtual=192.0.2.1:21\n\treal=web1:21 masq\n\tservice=ftp\n"
	if one, other := sumOf(t, ftp, "d1", "192.0.2.2"), sumOf(t, ftp, "d2", "192.0.2.3"); one != other ||
		len(one) != 16 {
		t.Errorf("the names of directors and the addresses of servers count: %s, %s", one, other)
	}
}
