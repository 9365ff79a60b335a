package parser

import (
	"strings"
	"testing"
)

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
