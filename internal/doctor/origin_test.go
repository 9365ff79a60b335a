package doctor

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/raw"
	"ldirectord/parser"
)

// What checks need of this machine, and it does not have, is told at its line.
func TestWhatChecksNeedOfThisMachine(t *testing.T) {
	const section = "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n\tservice=http\n"
	for text, want := range map[string]string{
		"\tchecksource=127.0.0.1\n\tcheckdevice=lo\n": "",
		"\tchecksource=192.0.2.9\n": "ld.cf:4:14: warning: checksource 192.0.2.9: this " +
			"machine does not have it; its",
		"\tcheckdevice=nowhere0\n": "ld.cf:4:14: warning: checkdevice nowhere0: this " +
			"machine does not have it; its",
		"\talsocheck=a\ncheckdef=a\n\tservice=http\n\tcheckport=81\n" +
			"\tcheckdevice=nowhere0\n": "ld.cf:8:14: warning: checkdevice nowhere0: this machine",
	} {
		said := JudgeOrigins(mustParse(t, section+text), true)
		isSaid := slices.ContainsFunc(said,
			func(d parser.Diagnostic) bool { return strings.HasPrefix(d.String(), want) })
		if isSaid != (want != "") || len(said) > 1 {
			t.Errorf("%s: %v", text, said)
		}
	}
	cfg := mustParse(t, section+"\tcheckmark=7\n")
	forbids := func(bool, settings.Origin) (uint32, error) {
		return 0, &raw.OriginError{Directive: "checkmark", Value: "7", Err: syscall.EPERM}
	}
	const want = "ld.cf:4:12: warning: checkmark 7: operation not permitted; its checks are not made, and their " +
		"servers stay as they are; " +
		"the unit needs CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW, and with User= " +
		"AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW too"
	if said := judgeOrigins(cfg, true, forbids); len(said) != 1 || said[0].String() != want {
		t.Errorf("forbidden: %v", said)
	}
	if said := judgeOrigins(cfg, false, forbids); len(said) > 0 {
		t.Errorf("to a user whose rights are not the daemon's: %v", said)
	}
}
