package lvs

import "testing"

// A word means the servers with this name or host, an IPv6 address in any form and with or without brackets, and none
// whose address only begins like it.
func TestWhichServersAWordMeans(t *testing.T) {
	for _, row := range []struct {
		name, word string
		want       bool
	}{
		{"192.0.2.21:80", "192.0.2.21:80", true},
		{"192.0.2.21:80", "192.0.2.21", true},
		{"192.0.2.21:80", "192.0.2.2", false},
		{"web1.example:80", "web1.example", true},
		{"web1.example:80", "web1", false},
		{"[2001:db8::2]:80", "[2001:db8::2]:80", true},
		{"[2001:db8::2]:80", "[2001:db8::2]", true},
		{"[2001:db8::2]:80", "2001:db8::2", true},
		{"[2001:db8::2]:80", "2001:DB8:0::0002", true},
		{"[2001:db8::2]:80", "[2001:0db8::2]:80", true},
		{"[2001:db8::2]:80", "[2001:db8::2]:81", false},
		{"[2001:db8::2]:80", "[2001", false},
		{"[2001:db8::2]:80", "[2001:db8:", false},
		{"[2001:db8::2]:80", "", false},
		{"", "", true},
		{"", "192.0.2.21", false},
	} {
		if got := IsServer(row.name, row.word); got != row.want {
			t.Errorf("%q means %q: %t", row.word, row.name, got)
		}
	}
	for word, want := range map[string]bool{
		"": true, "tcp:[2001:db8::1]:80": true, "[2001:db8::1]:80": true, "[2001:DB8::0:1]:80": true,
		"[2001:db8::1]": false, "[2001": false, "fwm6:5": false,
	} {
		if got := IsNamed("tcp:[2001:db8::1]:80", word); got != want {
			t.Errorf("%q means the virtual service: %t", word, got)
		}
	}
}
