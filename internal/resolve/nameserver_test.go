package resolve

import (
	"testing"

	"ldirectord/internal/testkit"
)

// A name server that is the only one may take longer.
func TestSeveralNameServers(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                    false,
		"nameserver 10.0.0.1\n":               false,
		"nameserver 10.0.0.1\nnameserver ::1": true,
		"nameserver 10.0.0.1\n#nameserver 10.0.0.2\nnameserver\nnameserver ns2\noptions rotate\n": false,
	} {
		testkit.Equal(t, hasSeveral(text), want, text)
	}
}
