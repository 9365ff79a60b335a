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
