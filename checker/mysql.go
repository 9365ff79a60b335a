package checker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlCheck logs in to a MySQL or MariaDB server and runs a query, which must return a row. It does
// not speak TLS: a handshake that fails counts towards the server's max_connect_errors, which locks
// the director out.
type mysqlCheck struct {
	target  netip.AddrPort
	timeout time.Duration
	config  *mysql.Config
	query   string
	clear   clearText
}

func newMySQL(s Spec, _ *Env) (Checker, error) {
	query, err := sqlQuery(s)
	if err != nil {
		return always{Detail: err.Error()}, nil
	}
	config := mysql.NewConfig()
	config.Logger = &mysql.NopLogger{}
	config.Net, config.Addr = "tcp", s.Target.String()
	config.User, config.Passwd, config.DBName = s.Login, s.Passwd, s.Database
	config.ConnectionAttributes = "program_name:ldirectord"
	return &mysqlCheck{target: s.Target, timeout: s.NegotiateTimeout, config: config, query: query, clear: clearText{refused: s.NoClearText}}, nil
}

// Check implements Checker.
func (c *mysqlCheck) Check(ctx context.Context) Result {
	rows, err := c.ask(ctx, time.Now().Add(c.timeout))
	return c.clear.withWarning(sqlResult(ctx, c.query, rows, err))
}

func (c *mysqlCheck) ask(ctx context.Context, deadline time.Time) (rows int, err error) {
	tcp, err := connect(ctx, c.target, deadline, c.timeout)
	if err != nil {
		return 0, err
	}
	defer tcp.Close()
	return c.talk(tcp)
}

// talk logs in, runs the query and logs out.
func (c *mysqlCheck) talk(tcp net.Conn) (rows int, err error) {
	greeting, err := mysqlGreeting(tcp)
	if err != nil {
		return 0, stageFault("greeting", err)
	}
	server := newLibConn(&pushedBack{tcp, greeting}, maxSQL)
	login := mysqlLogin{server: server, clear: &c.clear}
	session, err := c.logIn(server.inPackets(mysqlHeader, login.length))
	login.over = true
	if err != nil {
		return 0, server.fault(loginStep, err, mysqlRefusal(err))
	}
	defer session.Close()
	if rows, err = sqlRun(session, c.query); err != nil {
		return rows, server.fault(queryStep, err, mysqlRefusal(err))
	}
	return rows, nil
}

var errNotMySQL = errors.New("this is not MySQL")

// maxMySQLGreeting bounds the first packet, in bytes; real ones have a hundred.
const maxMySQLGreeting = 4096

// mysqlGreeting reads a server's first packet: its handshake, or an error. The driver
// panics over one that is cut short.
func mysqlGreeting(r io.Reader) ([]byte, error) {
	packet := make([]byte, mysqlHeader, 128)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	left, err := mysqlLength(packet)
	if err != nil || left > maxMySQLGreeting || packet[3] != 0 {
		return nil, fmt.Errorf("%w: got %s", errNotMySQL, excerpt(packet))
	}
	packet = append(packet, make([]byte, left)...)
	if _, err := io.ReadFull(r, packet[mysqlHeader:]); err != nil {
		return nil, err
	}
	if body := packet[4:]; body[0] != mysqlFailure && !isMySQLHandshake(body) {
		return nil, fmt.Errorf("%w: got %s", errNotMySQL, excerpt(packet))
	}
	return packet, nil
}

// isMySQLHandshake reports whether a packet has the parts of a HandshakeV10: after its version come at least 44 bytes,
// or 15 if the server is older than 4.1 (the manual of MySQL's protocol).
func isMySQLHandshake(body []byte) bool {
	const flags, protocol41 = 4 + 8 + 1, 0x0200
	_, rest, found := bytes.Cut(body, []byte{0})
	if body[0] != 10 || !found {
		return false
	}
	return len(rest) >= 44 || len(rest) == flags+2 && binary.LittleEndian.Uint16(rest[flags:])&protocol41 == 0
}

// mysqlHeader is a packet's length in three bytes, its number, and the first byte of its body.
const mysqlHeader = 5

// mysqlFailure begins the body of an error.
const mysqlFailure = 0xff

// mysqlLength is how many bytes of a packet follow its header. None is empty; an error has a number
// and a text.
func mysqlLength(header []byte) (int, error) {
	length := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if length == 0 || header[4] == mysqlFailure && length < 9 {
		return 0, errNotMySQL
	}
	return length - 1, nil
}

// logIn starts a session.
func (c *mysqlCheck) logIn(server *libConn) (session sqlSession, err error) {
	config := c.config.Clone()
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return server, nil }
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(context.Background())
	if errors.Is(err, mysql.ErrCleartextPassword) {
		return nil, errors.New("the server asks for the password in clear (mysql_clear_password), which is never sent")
	}
	if err != nil {
		return nil, err
	}
	return conn.(sqlSession), nil
}

// mysqlRefusal is an error that the server reports, or "".
func mysqlRefusal(err error) string {
	var said *mysql.MySQLError
	if errors.As(err, &said) {
		return fmt.Sprintf("%s (%d)", escape(said.Message, 4*maxExcerpt), said.Number)
	}
	return ""
}
