package protocol

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

var goodMySQL = Spec{
	Type: "negotiate", Service: "mysql", Protocol: "tcp", NegotiateTimeout: 5 * time.Second,
	Request: "/SELECT enabled FROM t", Account: settings.Account{Login: "check", Passwd: "secret", Database: "chk"},
}

// These packets are from the manual of MySQL's protocol, without their headers. The server speaks protocol 4.1 at
// most, so that an EOF packet ends columns and rows.
const (
	myHandshake = "\x0a5.5.5-10.11.0-MariaDB\x00\x01\x00\x00\x00abcdefgh\x00\x08\xa2\x08\x02\x00\x08\x00" +
		"\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00mysql_native_password\x00"
	myOK     = "\x00\x00\x00\x02\x00\x00\x00"
	myEOF    = "\xfe\x00\x00\x02\x00"
	myColumn = "\x03def\x03chk\x01t\x01t\x07enabled\x07enabled\x0c\x3f\x00\x0b\x00\x00\x00\x03\x00\x00\x00\x00\x00"
	myRow    = "\x011"
)

// myFound is the answer to a query that finds a row.
var myFound = []string{"\x01", myColumn, myEOF, myRow, myEOF}

// myPackets puts headers before packets; the first has that number.
func myPackets(number int, bodies ...string) string {
	all := ""
	for i, body := range bodies {
		all += string([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), byte(number + i)}) +
			body
	}
	return all
}

// myHear reads one packet; "" is the end.
func myHear(c io.Reader) string {
	header := make([]byte, 4)
	if _, err := io.ReadFull(c, header); err != nil {
		return ""
	}
	body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	io.ReadFull(c, body)
	return string(body)
}

// myUntilLogin is a server that reads the log-in and then calls a function of the test.
func myUntilLogin(then func(*testServer, net.Conn)) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		io.WriteString(c, myPackets(0, myHandshake))
		myHear(c)
		then(s, c)
	}
}

// mySay sends a packet with the number that is next.
func mySay(body string) step {
	return func(c *client) bool {
		_, err := io.WriteString(c, myPackets(c.number, body))
		c.number++
		return err == nil
	}
}

// myAwait reads a packet of the check, and compares it. Any will do for "*".
func myAwait(want string) step {
	return func(c *client) bool {
		header, _ := c.read.Peek(4)
		if len(header) == 4 {
			c.number = int(header[3]) + 1
		}
		got := myHear(c.read)
		switch {
		case want == "*":
			return got != ""
		case got == "":
			got = "nothing"
		case got == "\x01":
			got = "quit"
		case got[0] == 3:
			got = "query " + got[1:]
		case len(got) == 32 && got[1]&mysqlTLS > 0:
			c.asked, got = got, "tls?"
		case strings.Contains(got, "check\x00") && strings.Contains(got, "chk\x00") &&
			strings.HasPrefix(got, c.asked):
			got = "login check chk"
		}
		return c.compare(got, want, nil)
	}
}

// myRows sends rows forever, many at once.
func myRows(c *client) bool {
	w := bufio.NewWriter(c)
	for ; ; c.number++ {
		if _, err := w.WriteString(myPackets(c.number, myRow)); err != nil {
			return false
		}
	}
}

func TestRealMariaDB(t *testing.T) {
	good, pid := startMariaDB(t)
	checkReal(t, "mariadb", good)
	checkStopped(t, pid, good, "down: greeting: timeout")
}

// startMariaDB starts MariaDB with a table of one row.
func startMariaDB(t *testing.T) (good Spec, pid int) {
	t.Helper()
	mariadbd, install := needProgram(t, "mariadbd", "mariadb-server"),
		needProgram(t, "mariadb-install-db", "mariadb-server")
	dir := serverDir(t)
	data := filepath.Join(dir, "data")
	cert, key := writeCertificate(t, dir)
	give(t, dir, "mysql")
	small := []string{"--no-defaults", "--user=mysql", "--datadir=" + data, "--tmpdir=" + dir,
		"--innodb-use-native-aio=0", "--innodb-flush-method=fsync", "--innodb-buffer-pool-size=8M",
		"--innodb-log-file-size=4M"}
	cmd := exec.CommandContext(t.Context(), install,
		append(small, "--skip-test-db", "--auth-root-authentication-method=normal")...)
	testkit.Run(t, cmd)
	start := writeFile(t, dir, "init.sql", `CREATE DATABASE chk;
CREATE USER 'check'@'%' IDENTIFIED BY 'secret';
CREATE USER 'secure'@'%' IDENTIFIED BY 'secret' REQUIRE SSL;
INSTALL SONAME 'auth_ed25519';
CREATE USER 'modern'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret');
GRANT ALL ON chk.* TO 'check'@'%';
GRANT ALL ON chk.* TO 'modern'@'%';
GRANT ALL ON chk.* TO 'secure'@'%';
CREATE TABLE chk.t (enabled INT) ENGINE=Aria;
INSERT INTO chk.t VALUES (1);
`)
	good = goodMySQL
	good.TLSCA = cert
	good.Target = loopback(freePort(t))
	good.Request = "/SELECT enabled FROM t"
	args := append(small, "--socket="+dir+"/sock", "--pid-file="+dir+"/pid",
		fmt.Sprintf("--port=%d", good.Target.Port()),
		"--bind-address=127.0.0.1,::1", "--init-file="+start, "--performance-schema=OFF", "--skip-log-bin",
		"--skip-name-resolve", "--ssl-cert="+cert, "--ssl-key="+key)
	pid = realServer{path: mariadbd, args: args}.answering(t, good)
	return good, pid
}
