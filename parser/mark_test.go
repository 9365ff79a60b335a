package parser

import (
	"testing"
)

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
