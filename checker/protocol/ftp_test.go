package protocol

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

// listenData opens a data port and sends it to the client in a reply.
func listenData(reply string) step {
	return func(c *client) bool {
		l, err := net.Listen("tcp", net.JoinHostPort(c.LocalAddr().(*net.TCPAddr).IP.String(), "0"))
		if err != nil {
			c.t.Error(err)
			return false
		}
		c.data = l
		port := l.Addr().(*net.TCPAddr).Port
		numbers := strings.NewReplacer("PORT", fmt.Sprint(port), "HIGH", fmt.Sprint(port>>8), "LOW",
			fmt.Sprint(port&0xff))
		return say(numbers.Replace(reply))(c)
	}
}

// transfer sends a client over the data connection what the steps send.
func transfer(with ...step) step {
	return func(c *client) bool {
		conn, err := c.data.Accept()
		c.data.Close()
		if err != nil {
			c.t.Error(err)
			return false
		}
		defer conn.Close()
		for _, next := range with {
			if !next(&client{Conn: conn, t: c.t, read: bufio.NewReader(conn)}) {
				break
			}
		}
		return true
	}
}

func TestFTP(t *testing.T) {
	anonymous := Spec{Service: "ftp", Request: "/"}
	file := Spec{Service: "ftp", Account: monitor, Request: "/status",
		Receive: "^all w.ll$"}
	in := steps("< 220-welcome", "<  to this server", "< 220 ready", "> USER monitor", "< 331 and?",
		"> PASS secret", "< 230 in")
	atRoot := steps(in, "> CWD /", "< 250 /", "> TYPE I", "< 200 binary")
	extended := steps(atRoot, "> EPSV", listenData("229 Extended (|||PORT|)"))
	retrieve := steps("> RETR /status", "< 150 here it comes")
	done := steps("< 226 done", "> QUIT", "< 221 bye")
	quit := steps("> QUIT", "< 221 bye")
	checkFakes(t, nil, append(greetingCases(anonymous, "FTP", "220 ready"), []fakeCase{
		{"good", file, steps(extended, retrieve, transfer(raw("all well\n")), done), "up: /status: 9 bytes"},
		{"good over IPv6", over6(file), steps(extended, retrieve, transfer(raw("all well")), done),
			"up: /status: 8 bytes"},
		{"knows PASV only", file,
			steps(atRoot, "> EPSV", "< 500 what?", "> PASV",
				listenData("227 Passive (10,0,0,1,HIGH,LOW)."), retrieve, transfer(raw("all well")),
				done),
			"up: /status: 8 bytes"},
		{"without a file", anonymous,
			steps("< 220 ready", "> USER anonymous", "< 331 mail address, please",
				"> PASS ", "< 230 welcome", "> CWD /", "< 250 /", "> TYPE I",
				"< 200 binary", quit),
			"up: 230 welcome"},
		{"without a password", anonymous,
			steps("< 220 ready", "> USER anonymous", "< 230 welcome", "> CWD /",
				"< 250 /", "> TYPE I", "< 200 binary", quit),
			"up: 230 welcome"},
		{"not ready", anonymous, steps("< 421 too many users", quit), "down: greeting: 421 too many users"},
		{"wrong user", file, steps("< 220 ready", "> USER monitor", "< 530 no", quit),
			"down: login rejected: 530 no"},
		{"wrong password", file,
			steps("< 220 ready", "> USER monitor", "< 331 and?", "> PASS secret",
				"< 530 not with secret", quit),
			"down: login rejected: 530 not with …"},
		{"no root", file, steps(in, "> CWD /", "< 550 no", quit), "down: CWD rejected: 550 no"},
		{"no passive transfer", file,
			steps(atRoot, "> EPSV", "< 500 no", "> PASV", "< 502 no", quit),
			"down: PASV rejected: 502 no"},
		{"no file", file, steps(extended, "> RETR /status", transfer(), "< 550 no such file", quit),
			"down: RETR rejected: 550 no such file"},
		{"wrong content", file, steps(extended, retrieve, transfer(raw("\x1b[2Jnot well")), done),
			`down: /status does not match /^all w.ll$/: got "\x1b[2Jnot well"`},
		{"empty file", file, steps(extended, retrieve, transfer(), done),
			`down: /status does not match /^all w.ll$/: got ""`},
		{"transfer aborted", file,
			steps(extended, retrieve, transfer(raw("all w")), "< 426 disk broken", quit),
			"down: transfer failed: 426 disk broken"},
		{"endless file", file, steps(extended, retrieve, transfer(endless("all well\n")), quit),
			`down: /status in its first 1048576 bytes does not match /^all w.ll$/: got "all well\nall ` +
				`well\nall well\nall well\nall well\nall well\nall we"…`},
		{"data port closed", file, steps(atRoot, "> EPSV", closedData, quit),
			"down: data connect: refused"},
		{"slow drip in the file", late(file),
			steps(extended, retrieve, transfer(drip("all well, but slowly"))), "down: timeout in the file"},
		{"closed in the middle", file, steps(in, "> CWD /"),
			"down: connection closed waiting for the answer to CWD"},
		{"reset in the middle", file, steps(in, "> CWD /", reset),
			"down: connection reset waiting for the answer to CWD"},
		{"invalid data in the middle", file, steps(in, "> CWD /", "< * BYE", silent),
			`down: not FTP: "* BYE"`},
		{"endless reply", file, steps(in, "> CWD /", endless("250-/\r\n")),
			"down: more than 65536 bytes sent before the end of the answer to CWD"},
	}...))
}

// closedData sends the client a data port at which no program listens.
func closedData(c *client) bool {
	return say(fmt.Sprintf("229 Extended (|||%d|)", closedPort(c.t, "127.0.0.1").Port()))(c)
}

func TestFTPDataPort(t *testing.T) {
	for text, want := range map[string]uint16{
		"229 Entering Extended Passive Mode (|||6446|)": 6446,
		"229 (!!!6446!)":              6446,
		"229 (|||0|)":                 0,
		"229 (|||65536|)":             0,
		"229 (|||-1|)":                0,
		"229 (|6446|)":                0,
		"229 no parentheses |||6446|": 0,
		"229 ()":                      0,
		"229":                         0,
	} {
		if got, err := extendedPort(text); got != want || (want == 0) != errors.Is(err, errNoPort) {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]uint16{
		"227 Entering Passive Mode (192,0,2,1,25,46).": 25<<8 | 46,
		"227 Entering Passive Mode 192,0,2,1,0,21":     21,
		"227 (192,0,2,1,0,0)":                          0,
		"227 (192,0,2,1,256,1)":                        0,
		"227 (25,46)":                                  0,
		"227":                                          0,
	} {
		if got, err := passivePort(text); got != want || (want == 0) != errors.Is(err, errNoPort) {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
}
