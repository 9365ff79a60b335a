package fwmark

import "testing"

func TestRulesAreFoundInEveryChain(t *testing.T) {
	for output, want := range map[string]string{
		"-P PREROUTING ACCEPT\n-P POSTROUTING ACCEPT\n":                                                   "",
		"-P PREROUTING ACCEPT\n-A PREROUTING -d 192.0.2.1/32 -j DNAT --to-destination 10.0.0.1\n":         "",
		"-P POSTROUTING ACCEPT\n-A POSTROUTING -o eth0 -j MASQUERADE\n":                                   "-o eth0 -j MASQUERADE",
		"-P POSTROUTING ACCEPT\n-N out\n-A POSTROUTING -j out\n-A out -j SNAT --to-source 198.51.100.1\n": "-j SNAT --to-source 198.51.100.1",
	} {
		if got := parseListing(output).first(translates); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
	for output, want := range map[string]string{
		"-P INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n":                                         "",
		"-P INPUT DROP\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n":                "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"-P INPUT ACCEPT\n-N odd\n-A INPUT -j odd\n-A odd -m state ! --state NEW,ESTABLISHED -j DROP\n": "-m state ! --state NEW,ESTABLISHED -j DROP",
	} {
		if got := parseListing(output).first(looksAtState); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}
