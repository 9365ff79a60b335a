package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Both databases know a log-in and one query. Settings: user (who may log in), rows (of the answer), error (the
// query fails). They log "login USER DATABASE" and "query TEXT".

func (s *server) rows() int {
	n, err := strconv.Atoi(s.get("rows", "1"))
	if err != nil {
		return 1
	}
	return n
}

func isSelect(query string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(query)), "select")
}

// mysqlSession numbers the packets (the client/server protocol, version 10).
type mysqlSession struct {
	net.Conn
	sequence byte
}

var (
	mysqlOK  = []byte{0, 0, 0, 2, 0, 0, 0}
	mysqlEOF = []byte{0xfe, 0, 0, 2, 0}
)

func (c *mysqlSession) send(payload []byte) error {
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	head[3] = c.sequence
	c.sequence++
	_, err := c.Write(append(head, payload...))
	return err
}

func (c *mysqlSession) receive() ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	c.sequence = head[3] + 1
	payload := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(c, payload)
	return payload, err
}

func (c *mysqlSession) refuse(code uint16, state, text string) error {
	return c.send(append(binary.LittleEndian.AppendUint16([]byte{0xff}, code), "#"+state+text...))
}

func serveMySQL(conn net.Conn, s *server) error {
	conn.SetDeadline(time.Now().Add(clientTime))
	c := &mysqlSession{Conn: conn}
	if err := c.send(mysqlGreeting()); err != nil {
		return err
	}
	login, err := c.receive()
	if err != nil || len(login) < 34 {
		return err
	}
	name, rest, _ := bytes.Cut(login[32:], []byte{0})
	database := ""
	if len(rest) > 0 && len(rest) > int(rest[0]) {
		text, _, _ := bytes.Cut(rest[1+int(rest[0]):], []byte{0})
		database = string(text)
	}
	s.log("login %s %s", name, database)
	if !s.is("user", string(name)) {
		return c.refuse(1045, "28000", "denied")
	}
	if err := c.send(mysqlOK); err != nil {
		return err
	}
	for {
		command, err := c.receive()
		if err != nil || len(command) == 0 || command[0] == 1 { // COM_QUIT
			return err
		}
		if err := c.answer(command, s); err != nil {
			return err
		}
	}
}

func (c *mysqlSession) answer(command []byte, s *server) error {
	if command[0] != 3 { // COM_QUERY
		return c.send(mysqlOK)
	}
	query := string(command[1:])
	s.log("query %s", query)
	switch {
	case !isSelect(query):
		return c.send(mysqlOK)
	case s.get("error", "") != "":
		return c.refuse(1146, "42S02", "no such table")
	}
	column := "\x03def\x00\x01t\x01t\x01a\x01a\x0c\x21\x00\x0a\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
	packets := [][]byte{{1}, []byte(column), mysqlEOF}
	for range s.rows() {
		packets = append(packets, []byte("\x01x"))
	}
	for _, packet := range append(packets, mysqlEOF) {
		if err := c.send(packet); err != nil {
			return err
		}
	}
	return nil
}

func mysqlGreeting() []byte {
	const capabilities = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
	b := []byte("\x0a5.7.30-test\x00\x07\x00\x00\x00abcdefgh\x00")
	b = binary.LittleEndian.AppendUint16(b, capabilities&0xffff)
	b = append(b, 0x21, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, capabilities>>16)
	b = append(b, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return append(b, "ijklmnopqrst\x00mysql_native_password\x00"...)
}

func pgMessage(kind byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

const (
	pgColumn = "\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"
	pgRow    = "\x00\x01\x00\x00\x00\x01x"
	pgError  = "SERROR\x00C42P01\x00Mno such table\x00\x00"
)

func servePgSQL(conn net.Conn, s *server) error {
	conn.SetDeadline(time.Now().Add(clientTime))
	parameters, err := pgStart(conn)
	if err != nil {
		return err
	}
	s.log("login %s %s", parameters["user"], parameters["database"])
	if !s.is("user", parameters["user"]) {
		_, err := conn.Write(pgMessage('E', "SFATAL\x00C28000\x00Mdenied\x00\x00"))
		return err
	}
	hello := pgMessage('R', "\x00\x00\x00\x00")
	for _, p := range []string{"server_version\x0013.0", "client_encoding\x00UTF8",
		"standard_conforming_strings\x00on",
		"integer_datetimes\x00on", "DateStyle\x00ISO, MDY"} {
		hello = append(hello, pgMessage('S', p+"\x00")...)
	}
	hello = append(hello, pgMessage('K', "\x00\x00\x00\x01\x00\x00\x00\x02")...)
	conn.Write(append(hello, pgMessage('Z', "I")...))
	for {
		kind, body, err := pgReceive(conn)
		if err != nil || kind == 'X' {
			return err
		}
		conn.Write(pgAnswer(kind, body, s))
	}
}

// pgStart refuses encryption and returns the start-up message's parameters.
func pgStart(conn net.Conn) (map[string]string, error) {
	const protocolVersion = 3 << 16
	for {
		var head struct{ Length, Code uint32 }
		if err := binary.Read(conn, binary.BigEndian, &head); err != nil {
			return nil, err
		}
		body := make([]byte, min(max(head.Length, 8)-8, 1<<16))
		if _, err := io.ReadFull(conn, body); err != nil {
			return nil, err
		}
		if head.Code != protocolVersion { // a request for TLS or GSS
			if _, err := conn.Write([]byte("N")); err != nil {
				return nil, err
			}
			continue
		}
		words := strings.Split(string(body), "\x00")
		parameters := map[string]string{}
		for i := 0; i+1 < len(words); i += 2 {
			parameters[words[i]] = words[i+1]
		}
		return parameters, nil
	}
}

func pgReceive(conn net.Conn) (kind byte, body string, err error) {
	var head struct {
		Kind   byte
		Length uint32
	}
	if err := binary.Read(conn, binary.BigEndian, &head); err != nil {
		return 0, "", err
	}
	text := make([]byte, min(max(head.Length, 4)-4, 1<<16))
	_, err = io.ReadFull(conn, text)
	return head.Kind, string(text), err
}

// pgAnswer knows the simple and the extended query protocol.
func pgAnswer(kind byte, body string, s *server) []byte {
	rows := func() (out []byte) {
		if s.get("error", "") != "" {
			return pgMessage('E', pgError)
		}
		for range s.rows() {
			out = append(out, pgMessage('D', pgRow)...)
		}
		return append(out, pgMessage('C', "SELECT "+strconv.Itoa(s.rows())+"\x00")...)
	}
	ready := pgMessage('Z', "I")
	switch kind {
	case 'Q':
		query := strings.TrimRight(body, "\x00")
		s.log("query %s", query)
		switch {
		case !isSelect(query):
			return append(pgMessage('C', "SET\x00"), ready...)
		case s.get("error", "") != "":
			return append(rows(), ready...)
		}
		return append(append(pgMessage('T', pgColumn), rows()...), ready...)
	case 'P':
		_, query, _ := strings.Cut(body, "\x00")
		query, _, _ = strings.Cut(query, "\x00")
		s.log("query %s", query)
		return pgMessage('1', "")
	case 'B':
		return pgMessage('2', "")
	case 'D':
		return pgMessage('T', pgColumn)
	case 'E':
		return rows()
	case 'S':
		return ready
	}
	return nil
}
