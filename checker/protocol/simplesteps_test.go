package protocol

import (
	"errors"
	"io"
	"net"
	"testing"

	"ldirectord/checker"
)

// awaitBytes reads exactly these bytes.
func awaitBytes(want string) step {
	return func(c *client) bool {
		got := make([]byte, len(want))
		n, err := io.ReadFull(c.read, got)
		return c.compare(string(got[:n]), want, err)
	}
}

func TestSimpleTCPStepsOverUDP(t *testing.T) {
	spec := Spec{Service: "simpletcp", Protocol: "udp"}
	apply(t, &spec, "send=HELO; expect=^250; send=QUIT; expect=^221")
	answers := map[string]string{"HELO": "250", "QUIT": "221"}
	server := func(_ int, packet []byte, _ net.Addr) []string {
		return []string{"", answers[string(packet)]}
	}
	checkDatagrams(t, []datagramCase{
		{"good", spec, server, `up: got "221"`},
		{"wrong answer", late(spec), replies("250"),
			`down: step 4: timeout waiting for /^221/: got "250"`},
		{"silent", late(spec), replies(), "down: step 2: timeout waiting for /^250/"},
		{"refused", spec, nil, "down: step 2: waiting for /^250/: refused"},
	})
}

func TestAnExpectationMustBeAPattern(t *testing.T) {
	s := anySpec("negotiate")
	apply(t, &s, "service=simpletcp; expect=a(b")
	_, err := New(s, nil)
	var spec *checker.SpecError
	if want := "expect: unmatched (, at character 2 of the pattern"; !errors.As(err, &spec) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
