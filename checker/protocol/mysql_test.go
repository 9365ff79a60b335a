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

// mariadb is a server that answers with the packets that a test sets, one after the other.
type mariadb struct {
	login  []string // what it sends after a log-in
	answer []string // what it sends after a query
}

// These packets are from the manual of MySQL's protocol, without their headers. The server speaks protocol 4.1 at
// most, so that an EOF packet ends columns and rows.
const (
	myHandshake = "\x0a5.5.5-10.11.0-MariaDB\x00\x01\x00\x00\x00abcdefgh\x00\x08\xa2\x08\x02\x00\x08\x00" +
		"\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00mysql_native_password\x00"
	myOK     = "\x00\x00\x00\x02\x00\x00\x00"
	myEOF    = "\xfe\x00\x00\x02\x00"
	myDenied = "\xff\x15\x04#28000Access denied\x1b for user 'check'"
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
func myHear(c net.Conn) string {
	header := make([]byte, 4)
	if _, err := io.ReadFull(c, header); err != nil {
		return ""
	}
	body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	io.ReadFull(c, body)
	return string(body)
}

func (m mariadb) treat(s *testServer, c net.Conn) {
	io.WriteString(c, myPackets(0, myHandshake))
	login := myHear(c)
	if login == "" {
		return
	}
	s.keep(fmt.Sprintf("login check %v database chk %v", strings.Contains(login, "check\x00"),
		strings.Contains(login, "chk\x00")))
	io.WriteString(c, myPackets(2, m.login...))
	for {
		switch command := myHear(c); {
		case command == "":
			return
		case command[0] == 1:
			s.keep("quit")
		case command[0] == 3:
			s.keep("query " + command[1:])
			io.WriteString(c, myPackets(1, m.answer...))
		}
	}
}

// myUntilQuery is a server that accepts the log-in, reads the query and then calls a function of the test.
func myUntilQuery(then func(*testServer, net.Conn)) func(*testServer, net.Conn) {
	return myUntilLogin(func(s *testServer, c net.Conn) {
		io.WriteString(c, myPackets(2, myOK))
		myHear(c)
		then(s, c)
	})
}

// myUntilLogin is a server that reads the log-in and then calls a function of the test.
func myUntilLogin(then func(*testServer, net.Conn)) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		io.WriteString(c, myPackets(0, myHandshake))
		myHear(c)
		then(s, c)
	}
}

func TestMySQL(t *testing.T) {
	answering := func(packets ...string) func(*testServer, net.Conn) {
		return mariadb{login: []string{myOK}, answer: packets}.treat
	}
	checkScenes(t, goodMySQL, []scene{
		{"good", answering(myFound...), nil, "up: SELECT returned a row"},
		{"request with a blank before it", answering(myFound...),
			asking("/ select 1"), "up: SELECT returned a row"},
		{"no row", answering("\x01", myColumn, myEOF, myEOF), nil, "down: SELECT returned no row"},
		{"the first value matches", answering(myFound...), wanting("^1$"), "up: SELECT returned a row"},
		{"the first value does not match", answering(myFound...), wanting("^2"),

			`down: the first value does not match /^2/: got "1"`},
		{"command without rows", answering(myOK), asking("/SET @x = 1"), "down: SET returned no row"},
		{"rows touched", answering("\x00\x02\x00\x02\x00\x00\x00"), asking("/UPDATE t SET enabled = 2"),
			"up: UPDATE returned a row"},
		{"no rows touched", answering(myOK), asking("/UPDATE t SET enabled = 2"),
			"down: UPDATE returned no row"},
		{"wrong query", answering("\xff\x7a\x04#42S02Table 'chk.t'\ndoesn't exist"), nil,
			`down: query failed: Table 'chk.t'\ndoesn't exist (1146)`},
		{"failure after a row", answering("\x01", myColumn, myEOF, myRow, "\xff\x25\x05#70100interrupted"), nil,
			"down: query failed: interrupted (1317)"},
		{"server asks for a file", myUntilQuery(func(s *testServer, c net.Conn) {
			io.WriteString(c, myPackets(1, "\xfb/etc/passwd"))
			testkit.Equal(t, myHear(c), "", "sent")
			io.WriteString(c, myPackets(3, myOK))
			silence(s, c)
		}), nil, "down: query: local file '/etc/passwd' is not registered"},
		{"wrong log-in", mariadb{login: []string{myDenied}}.treat, nil,
			`down: login rejected: Access denied\x1b for user 'check' (1045)`},
		{"password in clear text", mariadb{login: []string{"\xfemysql_clear_password\x00"}}.treat, nil,
			"down: login: the server asks for the password in clear text (mysql_clear_password), which " +
				"is never sent"},
		{"unknown plugin", mariadb{login: []string{"\xfesecret_handshake\x00abc\x00"}}.treat, nil,
			"down: login: this authentication plugin is not supported"},
		{"too many connections", heedless(myPackets(0, "\xff\x10\x04Too many connections")), nil,
			"down: login rejected: Too many connections (1040)"},
		{"no login", closing, loginOf(""), "down: mysql needs a login and a request"},
		{"no request", closing, asking("/"), "down: mysql needs a login and a request"},
		{"closed at once", closing, nil, "down: greeting: closed by the server"},
		{"silent in the greeting", heedless(myPackets(0, myHandshake)[:20]), soon, "down: greeting: timeout"},
		{"closed after the log-in was sent", myUntilLogin(closing), nil, "down: login: closed by the server"},
		{"closed after login", myUntilQuery(closing), nil, "down: query: closed by the server"},
		{"silent after a row", myUntilQuery(heedless(myPackets(1, "\x01", myColumn, myEOF, myRow))), soon,
			"down: query: timeout"},
		{"another protocol", heedless("SSH-2.0-OpenSSH_9.2\r\n"), nil,
			`down: greeting: this is not MySQL: got "SSH-2"`},
		{"another packet", heedless(myPackets(0, "\x0bhello")), nil,
			`down: greeting: this is not MySQL: got "\x06\x00\x00\x00\v"`},
		{"greeting cut short", heedless(myPackets(0, myHandshake[:40])), nil,
			`down: greeting: this is not MySQL: got "(\x00\x00\x00\n"`},
		{"empty packet", heedless(myPackets(0, "", "")), nil,
			`down: greeting: this is not MySQL: got "\x00\x00\x00\x00\x00"`},
		{"error cut short", myUntilLogin(heedless(myPackets(2, "\xff\x10"))), nil,
			`down: login: this is not MySQL: got "\x02\x00\x00\x02\xff"`},
		{"OK cut short", myUntilLogin(heedless(myPackets(2, "\x00\x00\x00\x02"))), nil,
			`down: login: this is not MySQL: got "\x04\x00\x00\x02\x00"`},
		{"OK with a number cut short", myUntilLogin(heedless(myPackets(2, "\x00\xfe\x00\x00\x02\x00\x00"))),
			nil, `down: login: this is not MySQL: got "\a\x00\x00\x02\x00"`},
		{"OK with large numbers", myUntilLogin(
			heedless(myPackets(2, "\x00\xfc\x00\x00\xfe\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00") +
				myPackets(1, myFound...))), nil,
			"up: SELECT returned a row"},
		{"another way to log in, cut short",
			myUntilLogin(heedless(myPackets(2, "\xfemysql_native_password\x00abcdefgh\x00"))), nil,
			`down: login: this is not MySQL: got " \x00\x00\x02\xfe"`},
		{"another way to log in, cut off",
			myUntilLogin(heedless(myPackets(2, "\xfemysql_native_password\x00")[:12])), soon,
			"down: login: timeout"},
		{"numbers out of order", myUntilLogin(heedless(myPackets(7, myOK))), nil,
			"down: login: commands out of sync. You can't run this command now"},
		{"column cut short", myUntilQuery(
			heedless(myPackets(1, "\x01", "\x03def\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", myEOF))), nil,
			"down: panic over the answer: slice bounds out of range [-9223372036854775796:]; " +
				"warning: a fault in ldirectord: panic at mysql.*"},
		{"huge packet", myUntilLogin(heedless("\xff\xff\xff\x02\x00")), nil,
			"down: login: the answer is too long"},
		{"slow drip", trickle(myPackets(0, myHandshake)), soon, "down: greeting: timeout"},
		{"slow drip in the answer", myUntilQuery(trickle(myPackets(1, "\x01", myColumn, myEOF))), soon,
			"down: query: timeout"},
		{"rows forever", myUntilQuery(func(_ *testServer, c net.Conn) {
			io.WriteString(c, myPackets(1, "\x01", myColumn, myEOF))
			w := bufio.NewWriter(c)
			for number := 4; ; number++ {
				if _, err := w.WriteString(myPackets(number, myRow)); err != nil {
					return
				}
			}
		}), nil, "up: SELECT returned a row"},
	})
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
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", install, err, said)
	}
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
	pid = realServer{path: mariadbd, args: args, ready: answers(build(t, good, nil))}.start(t)
	return good, pid
}
