package lvs

import (
	"testing"

	"ldirectord/internal/testkit"
)

// A word means the servers with this name or host, an IPv6 address in any form and with or without brackets, and none
// whose address only begins like it.
func TestWhichServersAWordMeans(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/words.txt", 3) {
		testkit.Equal(t, IsServer(row[0], row[1]), row[2] == "yes", row)
	}
	for word, want := range map[string]bool{
		"": true, "tcp:[2001:db8::1]:80": true, "[2001:db8::1]:80": true, "[2001:DB8::0:1]:80": true,
		"[2001:db8::1]": false, "[2001": false, "fwm6:5": false,
	} {
		testkit.Equal(t, IsNamed("tcp:[2001:db8::1]:80", word), want, word, "means the virtual service")
	}
}
