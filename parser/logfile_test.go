package parser

import "testing"

// Without a logfile in the file the log goes to the caller's default, or to that of the Perl ldirectord.
func TestTheDefaultLogFile(t *testing.T) {
	for _, c := range []struct{ source, given, want string }{
		{"checkinterval = 1\n", "", "/var/log/ldirectord.log"},
		{"checkinterval = 1\n", "/var/log/ldirectord/ldirectord.log", "/var/log/ldirectord/ldirectord.log"},
		{"logfile = \"/var/log/x\"\n", "/var/log/ldirectord/ldirectord.log", "/var/log/x"},
		{"logfile = \"local0\"\n", "/var/log/ldirectord/ldirectord.log", "local0"},
	} {
		cfg, found := parseWith(t, c.source, Options{LogFile: c.given})
		if cfg == nil || cfg.Global.LogFile != c.want {
			t.Errorf("%q with %q: %+v, %v; want %s", c.source, c.given, cfg, found, c.want)
		}
	}
}
