package doctor

import (
	"slices"
	"strings"
	"testing"

	"ldirectord/parser"
)

// What checks need of this machine, and it does not have, is told at its line.
func TestWhatChecksNeedOfThisMachine(t *testing.T) {
	const section = "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n\tservice=http\n"
	for text, want := range map[string]string{
		"\tchecksource=127.0.0.1\n\tcheckdevice=lo\n": "",
		"\tchecksource=192.0.2.9\n":                   "ld.cf:4:14: warning: checksource 192.0.2.9: this machine does not have it; its",
		"\tcheckdevice=nowhere0\n":                    "ld.cf:4:14: warning: checkdevice nowhere0: this machine does not have it; its",
		"\talsocheck=a\ncheckdef=a\n\tservice=http\n\tcheckport=81\n\tcheckdevice=nowhere0\n": "ld.cf:8:14: warning: checkdevice nowhere0: this machine",
	} {
		cfg, found := parser.Parse(t.Context(), "ld.cf", []byte(section+text), parser.Options{})
		if cfg == nil {
			t.Fatal(found)
		}
		said := JudgeOrigins(cfg, true)
		isSaid := slices.ContainsFunc(said, func(d parser.Diagnostic) bool { return strings.HasPrefix(d.String(), want) })
		if isSaid != (want != "") || len(said) > 1 {
			t.Errorf("%s: %v", text, said)
		}
	}
}
