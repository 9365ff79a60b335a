package protocol

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
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

// connectData reads the data port that the client offers, connects to it, and replies. For IPv4 a stranger is faster.
func connectData(reply string) step {
	return func(c *client) bool {
		line, err := c.read.ReadString('\n')
		if err != nil {
			c.t.Error("no port is offered: ", err)
			return false
		}
		offer := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ,|\r\n", r) })
		host, port := offer[2], offer[3] // EPRT |2|::1|6446|
		if offer[0] == "PORT" {
			high, _ := strconv.Atoi(offer[5])
			low, _ := strconv.Atoi(offer[6])
			host, port = strings.Join(offer[1:5], "."), strconv.Itoa(high<<8|low)
			stranger := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			if _, err := stranger.Dial("tcp", net.JoinHostPort(host, port)); err != nil {
				c.t.Error(line, err)
			}
		}
		data, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			c.t.Error(line, err)
			return false
		}
		c.data = &oneConn{Conn: data}
		return say(reply)(c)
	}
}

// transfer sends a client over the data connection what the steps send.
func transfer(with ...step) step {
	return func(c *client) bool {
		conn, err := c.data.Accept()
		defer c.data.Close()
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
