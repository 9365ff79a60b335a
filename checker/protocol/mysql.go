package protocol

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"ldirectord/checker/query"
	"ldirectord/checker/wire"
)

// mysqlTalk checks a MySQL or MariaDB server. It uses TLS only if TLS is required, because failed handshakes count
// towards the server's max_connect_errors. At that limit the server locks the director out.
type mysqlTalk struct {
	sqlTalk
	config *mysql.Config
}

func newMySQL(s Spec, e *Env, query string) (Checker, error) {
	config := mysql.NewConfig()
	config.Logger = &mysql.NopLogger{}
	config.Net, config.Addr = "tcp", s.Target.String()
	config.User, config.Passwd, config.DBName = s.Login, s.Passwd, s.Database
	config.ClientFoundRows = true // as in the Perl ldirectord, count rows that an UPDATE finds but need not change
	config.ConnectionAttributes = "program_name:ldirectord"
	config.AllowCleartextPasswords = true // mysqlLogin decides
	t := &mysqlTalk{config: config}
	var err error
	t.sqlTalk, err = newSQL(s, e, query, t.run)
	return t, err
}

func (t *mysqlTalk) run(d *dialogue) (string, error) {
	login := &mysqlLogin{LibConn: wire.NewLibConn(&d.Dialogue, maxSQL, mysqlHeader, nil), clear: &t.clear}
	login.Length = login.length
	if d.Offered != nil {
		login.upgrade = d.Upgrade
	}
	session, err := t.logIn(login)
	if err != nil {
		return "", login.fault(wire.LoginStep, err)
	}
	defer session.Close()
	rows, first, err := query.Run(session, t.query)
	if err != nil {
		err = login.fault(wire.QueryStep, err)
		// A packet this long is a row: only descriptions of columns come before the first row, and they are
		// short.
		if length, _ := mysqlLength(login.Header); length > maxSQL/2 && d.isLongRow(err) {
			rows = 1
		}
	}
	if err == nil && login.changed {
		rows = max(rows, 1)
	}
	return d.sqlSeen(t.query, rows, []byte(first), err)
}

// Conceals reports whether a packet belongs to the log-in, where our packets have numbers above 0. A command is packet
// 0.
func (*mysqlTalk) Conceals(sent bool, turn string) bool { return sent && len(turn) > 3 && turn[3] > 0 }

var errNotMySQL = errors.New("this is not MySQL")

// mysqlHeader is how many bytes of a packet we read first: its length (three bytes), its number, and the first byte of
// its body.
const mysqlHeader = 5

// mysqlFailure is the first byte of the body of an error packet.
const mysqlFailure = 0xff

// mysqlLength returns how many bytes of a packet follow its header. It refuses an empty packet, and an error packet
// that is too short for a number and an SQL state.
func mysqlLength(header []byte) (int, error) {
	length := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if length == 0 || header[4] == mysqlFailure && length < 9 {
		return 0, errNotMySQL
	}
	return length - 1, nil
}

// answerLengths returns a stricter mysqlLength for the answer to a query. The first packet holds the number of columns,
// for which the driver allocates memory at once. A number of more than two bytes is refused, because MySQL allows at
// most 4096 columns. If that packet is an OK instead, answerLengths notes whether rows were changed, because the driver
// does not report that for a query.
func (l *mysqlLogin) answerLengths() func(header []byte) (int, error) {
	first := true
	return func(header []byte) (left int, err error) {
		const threeBytes, eightBytes = 0xfd, 0xfe
		if first && (header[4] == threeBytes || header[4] == eightBytes) {
			return 0, errNotMySQL
		}
		left, err = mysqlLength(header)
		if first && header[4] == mysqlOK && left > 0 {
			changes, _ := l.In.Peek(1)
			l.changed = len(changes) > 0 && changes[0] > 0
		}
		first = false
		return left, err
	}
}

// logIn starts a session.
func (t *mysqlTalk) logIn(login *mysqlLogin) (query.Session, error) {
	defer func() { login.Length, login.upgrade = login.answerLengths(), nil }()
	config := t.config.Clone()
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return login, nil }
	_ = config.Apply(mysql.BeforeConnect(func(_ context.Context, used *mysql.Config) error {
		login.config = used
		return nil
	}))
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return conn.(query.Session), nil
}

// fault explains an error that the server reported, or that occurred in a step of the check.
func (l *mysqlLogin) fault(s wire.LibStep, err error) error {
	if l.untold != nil {
		return l.untold
	}
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) {
		err = &wire.Refusal{Text: refusal.Message, Code: strconv.Itoa(int(refusal.Number))}
	}
	if !l.greeted {
		s = wire.LibStep{Stage: wire.AtAnswer, Name: "greeting"}
	}
	return l.Fault(s, err)
}
