package parser

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A rule is read alike with any blanks and names.
func TestMarkLines(t *testing.T) {
	for line, want := range map[string]string{
		"192.0.2.10 tcp 80,443":                     "192.0.2.10/32 tcp [80 443]",
		"  192.0.2.10   tcp  https , 80:90,53\t# a": "192.0.2.10/32 tcp [443 80:90 53]",
		"192.0.2.16/28 udp 5060,10000:20000":        "192.0.2.16/28 udp [5060 10000:20000]",
		"192.0.2.10/32 sctp 00080:65535":            "192.0.2.10/32 sctp [80:65535]",
		"192.0.2.10 sctp domain:ntp":                "192.0.2.10/32 sctp [53:123]",
		"192.0.2.10 tcp all":                        "192.0.2.10/32 tcp []",
		"0.0.0.0/0 all all#b":                       "0.0.0.0/0 all []",
		"2001:db8::10 tcp 80":                       "2001:db8::10/128 tcp [80]",
		"[2001:DB8:0::]/64 tcp 80":                  "2001:db8::/64 tcp [80]",
	} {
		header := "virtual=3\n"
		if strings.Count(line, ":") > 2 {
			header = "virtual6=3\n"
		}
		cfg := mustParse(t, header+"\tmark = "+line+"\n")
		m := cfg.Virtuals[0].Marking[0]
		testkit.Equal(t, fmt.Sprint(m.Dest, " ", m.Protocol, " ", m.Ports), want, line)
		again := mustParse(t, header+"\tmark = "+m.String()+"\n").Virtuals[0].Marking[0]
		if again.String() != m.String() {
			t.Errorf("%q is written as %q, which is read as %q", line, m, again)
		}
	}
}

func TestMarkLinesAddUp(t *testing.T) {
	src := "virtual=3\n\treal=192.0.2.21:80 gate\n\tmark=192.0.2.10 tcp 80,443\n\tmark=192.0.2.10 udp 443\n" +
		"\tservice=http\n"
	v := mustParse(t, src).Virtuals[0]
	if len(v.Marking) != 2 || v.Marking[1].At != (Position{"test.cf", 4, 7}) {
		t.Errorf("got %+v", v.Marking)
	}
	testkit.Equal(t, fmt.Sprint(firstVirtual(t, src)["mark"]), "[192.0.2.10 tcp 80,443 192.0.2.10 udp 443]", "JSON")
	if says(t, src, "is given again") {
		t.Error("a second mark line is reported to replace the first")
	}
}

// The number of rules in a file is limited: a packet may have to pass all of them.
func TestMarkLinesAreBounded(t *testing.T) {
	line := "\tmark=192.0.2.10 tcp " + strings.TrimSuffix(strings.Repeat("80,", maxMarkPorts/4), ",") + "\n"
	src := "virtual=3\n" + strings.Repeat(line, 4)
	if cfg, found := parseText(t, src); cfg == nil {
		t.Error(found[0])
	}
	_, found := parseText(t, src+"\tmark=192.0.2.10 all all\n\tmark=192.0.2.10 tcp all\nvirtual=4\n"+
		"\tmark=192.0.2.10 udp 80\n")
	if errs := found.Errors(); len(errs) != 1 || errs[0].Pos != (Position{"ld.cf", 6, 7}) ||
		errs[0].Kind != tooLarge {
		t.Errorf("got %v", errs)
	}
}

func TestEngine(t *testing.T) {
	const src = "virtual=192.0.2.10:5060\n\tprotocol=udp\n\treal=192.0.2.21:5060 gate\n\tpersistent=60\n" +
		"\tpename=sip\n"
	if v := mustParse(t, src).Virtuals[0]; v.PEName != "sip" {
		t.Errorf("got %q", v.PEName)
	}
	if v := firstVirtual(t, src); v["pename"] != "sip" ||
		!strings.HasSuffix(v["ipvsadm"].(string), "-p 60 --pe sip") {
		t.Errorf("JSON has %v", v)
	}
	if v := mustParse(t, "virtual=3\n\tpersistent=60\n\tpename=\"sip\"\n").Virtuals[0]; v.PEName != "sip" {
		t.Errorf("under a mark: %q", v.PEName)
	}
	const useless = "pename has an effect only with persistent"
	if says(t, src, useless) || !says(t, strings.Replace(src, "\tpersistent=60\n", "", 1), useless) {
		t.Error("without persistence there is no warning, or with it")
	}
}

func TestWhereTheDaemonListens(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:9180": "127.0.0.1:9180", `"[::1]:9180"`: "[::1]:9180", "0.0.0.0:1 # a": "0.0.0.0:1",
	} {
		cfg := mustParse(t, "listen = "+text+"\nstatusgroup=\"adm-1._x\"\n")
		if cfg.Global.Listen != netip.MustParseAddrPort(want) || cfg.Global.StatusGroup != "adm-1._x" {
			t.Errorf("%s: %v %q", text, cfg.Global.Listen, cfg.Global.StatusGroup)
		}
		if got := asJSON(t, cfg)["global"].(object)["listen"]; got != want {
			t.Errorf("JSON has %v", got)
		}
	}
	if cfg := mustParse(t, ""); cfg.Global.Listen.IsValid() {
		t.Errorf("without a line it is %v", cfg.Global.Listen)
	}
}

func TestAllPortsHoweverTheyAreWritten(t *testing.T) {
	for ports, want := range map[string]bool{
		"all": true, "1:65535": true, "40000:65535,1:50000": true, "1:80,81,82:65535": true,
		"80": false, "2:65535": false, "1:65534": false, "1:80,82:65535": false,
	} {
		if m := mustParse(t, "virtual=3\n\tmark=192.0.2.10 tcp "+ports+
			"\n").Virtuals[0].Marking[0]; m.AllPorts() != want {
			t.Errorf("%s are all: %v", ports, !want)
		}
	}
}
