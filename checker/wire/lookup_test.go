package wire

import (
	"fmt"
	"testing"
	"time"

	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// The last addresses of a full list outlast the look-up of a name in it. A new name drops them.
func TestNamesThatAreKept(t *testing.T) {
	nameserver.Use(t, func(string) string { return "127.0.0.1" })
	n := Names{}
	ask := func(i int) {
		testkit.Must(n.Resolve(t.Context(), fmt.Sprintf("web%d.example.com", i), false, time.Minute))(t)
	}
	for i := range maxNames {
		ask(i)
	}
	ask(0)
	testkit.Equal(t, len(n.last), maxNames)
	ask(maxNames)
	testkit.Equal(t, len(n.last), 1)
}
