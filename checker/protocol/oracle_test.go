package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/checker/oracle"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

var goodOracle = Spec{
	Type: "negotiate", Service: "oracle", Protocol: "tcp", NegotiateTimeout: 5 * time.Second,
	Request: "/SELECT 1 FROM dual", Account: settings.Account{Login: "check", Passwd: "secret", Database: "XE"},
}

// oracleBuilt builds ldirectord-oracle in the folder of the test binary.
var oracleBuilt = sync.OnceValue(func() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(filepath.Dir(self), oracle.Program),
		"ldirectord/cmd/ldirectord-oracle")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

func needsOracle(t *testing.T) {
	t.Helper()
	testkit.OK(t, oracleBuilt(), "building the program")
}

// tns puts a header before the body of a packet.
func tns(kind byte, body string) string {
	header := make([]byte, 8)
	binary.BigEndian.PutUint16(header, uint16(8+len(body)))
	header[4] = kind
	return string(header) + body
}

// tnsHear reads one packet whose length has two bytes; "" is the end.
func tnsHear(c net.Conn) string {
	header := make([]byte, 8)
	if _, err := io.ReadFull(c, header); err != nil {
		return ""
	}
	body := make([]byte, binary.BigEndian.Uint16(header)-8)
	io.ReadFull(c, body)
	return string(header) + string(body)
}

func tnsRefuse(words string) string {
	return tns(4, "\x22\x00"+string([]byte{byte(len(words) >> 8), byte(len(words))})+words)
}

func tnsRedirect(words string) string {
	return tns(5, string([]byte{byte(len(words) >> 8), byte(len(words))})+words)
}

// tnsAccepted is a packet that accepts a version.
func tnsAccepted(version uint16) string {
	body := make([]byte, 40)
	binary.BigEndian.PutUint16(body, version)
	binary.BigEndian.PutUint16(body[4:], oracle.Unit)
	binary.BigEndian.PutUint16(body[6:], 0xffff)
	binary.BigEndian.PutUint16(body[12:], 48) // where the data begins; there is none
	body[15] = 4                              // no services to negotiate
	binary.BigEndian.PutUint32(body[24:], oracle.Unit)
	binary.BigEndian.PutUint32(body[28:], 0xffff)
	return tns(2, string(body))
}

// listener is a server that answers each connect packet with the given bytes.
func listener(says string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		packet := tnsHear(c)
		if begin := strings.Index(packet, "(DESCRIPTION"); begin >= 0 {
			s.keep(packet[begin:])
		}
		heedless(says)(s, c)
	}
}

// tnsRedirected sends a redirect, in which {PORT} is the listener's own.
func tnsRedirected(words string) step {
	return func(c *client) bool {
		_, own, _ := net.SplitHostPort(c.LocalAddr().String())
		return raw(tnsRedirect(strings.ReplaceAll(words, "{PORT}", own)))(c)
	}
}

func TestOracleNeedsAPort(t *testing.T) {
	needsOracle(t)
	s := goodOracle
	s.Target = loopback(0)
	expect(t, checked(t, s), "down: no port to connect to: neither the real server nor checkport gives one")
}

func TestOracleNamesTheDatabase(t *testing.T) {
	needsOracle(t)
	for database, want := range map[string]string{"XE": "(SID=XE)",
		"/pdb.example.org": "(SERVICE_NAME=pdb.example.org)"} {
		t.Setenv("USER", "other")
		server := serve(t, listener(tnsRefuse("")))
		s := goodOracle
		s.Target, s.Database = server.addr, database
		build(t, s, &Env{HostName: "director"}).Check(t.Context())
		asked := strings.Join(server.asked(), "|")
		want = "(CONNECT_DATA=" + want + "(CID=(PROGRAM=ldirectord)(HOST=director)(USER=ldirectord)))"
		if !strings.Contains(asked, want) || strings.Contains(asked, "secret") {
			t.Errorf("asked %s\nwant  %s", asked, want)
		}
	}
}

// A redirect to another port of the server, such as a dispatcher's, is followed.
func TestOracleIsRedirectedOnTheServer(t *testing.T) {
	needsOracle(t)
	dispatcher := serve(t, listener(tnsRefuse("(DESCRIPTION=(ERR=12516))")))
	s := goodOracle
	s.Target = serve(t, listener(tnsRedirect(fmt.Sprintf("(ADDRESS=(PROTOCOL=tcp)(HOST=192.0.2.1)(PORT=%d))",
		dispatcher.addr.Port())))).addr
	expect(t, checked(t, s), "down: login rejected: ORA-12516: TNS:listener could not find available handler "+
		"with matching protocol stack")
}
