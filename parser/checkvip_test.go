package parser

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// checkvip sets the virtual address for the section's check and for further ones, except pings and external ones.
func TestCheckVIPAddress(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/checkvip.txt", 4) {
		src := "virtual=" + row[0] + "\n\treal=192.0.2.21:80 gate\n\t" +
			strings.ReplaceAll(row[1], "; ", "\n\t")
		cfg, found := Parse(t.Context(), "t.cf", []byte(src+"\n"), Options{})
		if cfg == nil || found.HasErrors() {
			t.Errorf("%q: %v", src, found)
			continue
		}
		v := cfg.Virtuals[0]
		testkit.Equal(t, v.CheckVIP.String(), row[2], row[1])
		testkit.Equal(t, v.Check(1).CheckVIP.String(), row[3], row[1], "the further check")
	}
}
