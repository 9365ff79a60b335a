package director

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A renewed certificate is used at once, and failurecount still applies: the first failure takes no server out.
func TestARenewedCertificateKeepsWhatIsKnownOfAServer(t *testing.T) {
	cert := filepath.Join(t.TempDir(), "cert.pem")
	put := func(text string) {
		if err := os.WriteFile(cert, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("first")
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = fmt.Sprintf(`checkinterval = 10
failurecount = 3
virtual = 10.1.0.1:443
	real = 10.2.0.1:443 gate
	service = https
	tlscert = %[1]s
	tlskey = %[1]s
`, cert)
		s.start("one", false)
		time.Sleep(time.Second)
		s.take()
		s.set(netip.MustParseAddrPort("10.2.0.1:443"), "down")
		put("second")
		if err := s.director.Reload(t.Context(), s.plan("one")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got := s.take()
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "log: Soft failure real server: 10.2.0.1:443") }) {
			t.Errorf("no check was made at once with the renewed certificate: %q", got)
		}
		if slices.ContainsFunc(got, func(line string) bool { return !strings.HasPrefix(line, "log: Soft failure") }) {
			t.Errorf("one failure of three changed something: %q", got)
		}
		s.stop(ErrHandover)
		time.Sleep(time.Second) // checks in flight end
	})
}
