package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
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

func servePgSQL(conn net.Conn, s *server) error {
	client := pgproto3.NewBackend(conn, conn)
	start, err := pgStart(conn, client)
	if err != nil {
		return err
	}
	user := start["user"]
	s.log("login %s %s", user, start["database"])
	if !s.is("user", user) {
		return pgSend(client, &pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: "denied"})
	}
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range map[string]string{"server_version": "13.0", "client_encoding": "UTF8",
		"standard_conforming_strings": "on", "integer_datetimes": "on", "DateStyle": "ISO, MDY"} {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	err = pgSend(client, pgReady)
	for err == nil {
		var request pgproto3.FrontendMessage
		if request, err = client.Receive(); err == nil {
			err = pgSend(client, pgAnswer(request, s)...)
		}
	}
	return err
}

func pgSend(client *pgproto3.Backend, messages ...pgproto3.BackendMessage) error {
	for _, m := range messages {
		client.Send(m)
	}
	return client.Flush()
}

// pgStart refuses encryption and returns the start-up message's parameters.
func pgStart(conn net.Conn, client *pgproto3.Backend) (map[string]string, error) {
	for {
		message, err := client.ReceiveStartupMessage()
		if err != nil {
			return nil, err
		}
		if start, is := message.(*pgproto3.StartupMessage); is {
			return start.Parameters, nil
		}
		if _, err := conn.Write([]byte("N")); err != nil {
			return nil, err
		}
	}
}

var (
	pgReady  = &pgproto3.ReadyForQuery{TxStatus: 'I'}
	pgColumn = &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{
		{Name: []byte("a"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}}
)

// pgRows is the result of a query.
func pgRows(s *server) (rows []pgproto3.BackendMessage) {
	if s.get("error", "") != "" {
		return append(rows, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "42P01", Message: "no such table"})
	}
	for range s.rows() {
		rows = append(rows, &pgproto3.DataRow{Values: [][]byte{[]byte("x")}})
	}
	return append(rows, &pgproto3.CommandComplete{CommandTag: fmt.Appendf(nil, "SELECT %d", s.rows())})
}

// pgAnswer knows the simple and the extended query protocol.
func pgAnswer(request pgproto3.FrontendMessage, s *server) []pgproto3.BackendMessage {
	one := func(m pgproto3.BackendMessage) []pgproto3.BackendMessage { return []pgproto3.BackendMessage{m} }
	switch r := request.(type) {
	case *pgproto3.Query:
		s.log("query %s", r.String)
		if !isSelect(r.String) {
			return append(one(&pgproto3.CommandComplete{CommandTag: []byte("SET")}), pgReady)
		}
		return append(append(one(pgColumn), pgRows(s)...), pgReady)
	case *pgproto3.Parse:
		s.log("query %s", r.Query)
		return one(&pgproto3.ParseComplete{})
	case *pgproto3.Bind:
		return one(&pgproto3.BindComplete{})
	case *pgproto3.Describe:
		return one(pgColumn)
	case *pgproto3.Execute:
		return pgRows(s)
	case *pgproto3.Sync:
		return one(pgReady)
	}
	return nil
}
