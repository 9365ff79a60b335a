package protocol

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"ldirectord/checker/wire"
)

// pgsqlCheck checks a PostgreSQL server, or a compatible one. As libpq does by default, it uses TLS if the server
// offers it. With tls = yes it requires TLS.
//
// It uses the driver's messages but not the driver's connections, because these take settings from the environment and
// from files in the user's home.
type pgsqlCheck struct {
	sqlTalk
	scram   scramClient
	onlyTLS bool
	key     pgproto3.BackendKeyData // of the session, to cancel its query

	leftovers *sync.WaitGroup // counts the cancels under way
}

func newPgSQL(s Spec, e *Env, query string) (Checker, error) {
	c := &pgsqlCheck{onlyTLS: s.UseTLS, leftovers: cmp.Or(e.Leftovers, new(sync.WaitGroup))}
	var err error
	if c.sqlTalk, err = newSQL(s, e, query, c.run); err == nil && !c.onlyTLS {
		c.sessions = wire.NewSessions()
		c.tls = wire.TLSRules{}.Config(c.sessions, s.SNI, s.Host)
	}
	return c, err
}

// run makes the check. If TLS may be the cause of a failure and is not required, run repeats the check without TLS, on
// another connection.
func (c *pgsqlCheck) run(d *dialogue) (string, error) {
	rows, first, err := c.ask(d, true)
	if !c.onlyTLS && wantsPlain(err) {
		d.Conn.End()
		var plain *dialogue
		if plain, err = c.begin(d.ctx); err == nil {
			defer plain.Conn.End()
			rows, first, err = c.ask(plain, false)
		}
	}
	return d.sqlSeen(c.query, rows, first, err)
}

// Conceals reports whether a message belongs to the log-in. Messages of type p hold passwords, or data derived from
// them.
func (c *pgsqlCheck) Conceals(sent bool, turn string) bool {
	return sent && turn[:min(len(turn), 1)] == "p"
}

// wantsPlain reports whether to try again without TLS after an error, as libpq does.
func wantsPlain(err error) bool {
	var refused *wire.Refusal
	return wire.StageOf(err) == wire.AtTLS && !wire.IsTimeout(err) ||
		errors.As(err, &refused) && refused.Code == "28000"
}

// ask logs in, runs the query and logs out. It returns the number of rows, and the first value of the first row.
func (c *pgsqlCheck) ask(d *dialogue, secure bool) (rows int, first []byte, err error) {
	if secure {
		if err := c.secure(d); err != nil {
			return 0, nil, err
		}
	}
	server := wire.NewLibConn(&d.Dialogue, maxSQL, 5, pgsqlLengths())
	f := pgproto3.NewFrontend(server, server)
	if err := c.logIn(f, d.Conn.TLS != nil); err != nil {
		return 0, nil, server.Fault(wire.LoginStep, err)
	}
	if rows, first, err = c.countRows(f); err != nil {
		err = server.Fault(wire.QueryStep, err)
		if server.Header[0] == 'D' && c.isLongRow(err) {
			rows = 1
		}
		if wire.IsTimeout(err) && c.key.SecretKey != nil {
			request := pgproto3.CancelRequest(c.key) // the next check has another key
			c.leftovers.Go(func() { c.cancel(context.WithoutCancel(d.ctx), request) })
		}
		return rows, first, err
	}
	f.Send(&pgproto3.Terminate{})
	f.Flush()
	return rows, first, nil
}

// cancelTimeout is how long a server may take to read a CancelRequest.
const cancelTimeout = time.Second

// cancel ends the query of a check that has timed out. A query that waits for a lock does not notice that its client
// has gone, so the sessions of such checks would use up the server's connections. As libpq's PQcancel does, cancel
// sends the request in the clear and waits until the server has closed the connection.
func (c *pgsqlCheck) cancel(ctx context.Context, request pgproto3.CancelRequest) {
	conn, err := wire.Connect(ctx, c.target, cancelTimeout)
	if err != nil {
		return
	}
	defer conn.Close()
	message, _ := request.Encode(nil) // it never fails
	if conn.Send("cancel", message) == nil {
		conn.Read(make([]byte, 1))
	}
}

// secure requests TLS ("SSL Session Encryption" in the protocol's manual) and starts it if the server agrees.
func (c *pgsqlCheck) secure(d *dialogue) error {
	request, _ := new(pgproto3.SSLRequest).Encode(nil)
	_, err := d.Conn.Write(request)
	var answer byte
	if err == nil {
		answer, err = d.In.ReadByte()
	}
	switch {
	case err != nil:
		return wire.AtLogin.Of(wire.StageFault("login", err))
	case c.onlyTLS && answer != 'S':
		return wire.AtTLS.Of(errors.New("the server does not offer TLS"))
	case answer == 'N':
		return nil
	case answer != 'S':
		return d.In.UnreadByte()
	}
	return d.Upgrade()
}

// pgsqlLengths returns the function that reads how many bytes of a message follow its header. The first message must be
// an answer to a log-in.
func pgsqlLengths() func(header []byte) (int, error) {
	first := true
	return func(header []byte) (int, error) {
		length := int(int32(binary.BigEndian.Uint32(header[1:])))
		if length < 4 || first && !bytes.ContainsRune([]byte("REvN"), rune(header[0])) {
			return 0, errors.New("this is not PostgreSQL")
		}
		first = false
		return length - 4, nil
	}
}

// logIn starts a session. The argument hidden means that TLS protects the session.
func (c *pgsqlCheck) logIn(f *pgproto3.Frontend, hidden bool) error {
	settings := map[string]string{"user": c.Login, "application_name": "ldirectord"}
	if c.Database != "" { // otherwise the server uses the login as the name of the database
		settings["database"] = c.Database
	}
	c.key = pgproto3.BackendKeyData{}
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: settings})
	scram := c.scram.logIn(c.Passwd)
	for {
		if err := f.Flush(); err != nil {
			return err
		}
		message, err := f.Receive()
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *pgproto3.BackendKeyData:
			c.key = *m
		case *pgproto3.ReadyForQuery:
			return nil
		case *pgproto3.ErrorResponse:
			return &wire.Refusal{Text: m.Message, Code: m.Code}
		case pgproto3.AuthenticationResponseMessage:
			if err := c.authenticate(f, scram, m, hidden); err != nil {
				return err
			}
		}
	}
}

// authenticate answers one authentication request of the server.
func (c *pgsqlCheck) authenticate(f *pgproto3.Frontend, scram scramLogin,
	demand pgproto3.AuthenticationResponseMessage, hidden bool) error {
	if _, done := demand.(*pgproto3.AuthenticationOk); !done && c.Passwd == "" {
		return errors.New("the server asks for a password, but none is set")
	}
	switch m := demand.(type) {
	case *pgproto3.AuthenticationOk:
	case *pgproto3.AuthenticationCleartextPassword:
		if !hidden {
			if err := c.clear.ask(); err != nil {
				return err
			}
		}
		f.Send(&pgproto3.PasswordMessage{Password: c.Passwd})
	case *pgproto3.AuthenticationMD5Password:
		f.Send(&pgproto3.PasswordMessage{Password: pgsqlMD5(c.Login, c.Passwd, m.Salt)})
	case *pgproto3.AuthenticationSASL:
		if !slices.Contains(m.AuthMechanisms, scramSHA256) {
			return fmt.Errorf("the server does not offer log-in by SCRAM-SHA-256, only by %s",
				wire.Show(strings.Join(m.AuthMechanisms, ", ")))
		}
		f.Send(&pgproto3.SASLInitialResponse{AuthMechanism: scramSHA256, Data: []byte(scram.first)})
	case *pgproto3.AuthenticationSASLContinue:
		final, err := scram.answer(m.Data)
		f.Send(&pgproto3.SASLResponse{Data: final})
		return err
	case *pgproto3.AuthenticationSASLFinal:
		if _, err := scram.answer(m.Data); err != nil {
			return errors.New("the server did not prove that it knows the password")
		}
	default:
		return errors.New("the server requires a log-in method that is not supported")
	}
	return nil
}

// pgsqlMD5 returns the answer to AuthenticationMD5Password ("Start-up" in the protocol's manual).
func pgsqlMD5(login, passwd string, salt [4]byte) string {
	inner := md5.Sum([]byte(passwd + login))
	outer := md5.Sum(append(hex.AppendEncode(nil, inner[:]), salt[:]...))
	return "md5" + hex.EncodeToString(outer[:])
}

// countRows sends the query and counts the rows of its last statement, as libpq's PQexec does. For a statement that
// returns no rows it counts the rows affected. first is the first value from the last statement that may return rows.
func (c *pgsqlCheck) countRows(f *pgproto3.Frontend) (rows int, first []byte, err error) {
	f.SendQuery(&pgproto3.Query{String: c.query})
	if err := f.Flush(); err != nil {
		return 0, nil, err
	}
	var failure error
	selected := false
	for {
		message, err := f.Receive()
		if err != nil {
			return rows, first, cmp.Or(failure, err)
		}
		switch m := message.(type) {
		case *pgproto3.RowDescription:
			selected, rows, first = true, 0, nil
		case *pgproto3.DataRow:
			if rows++; rows == 1 && len(m.Values) > 0 {
				first = slices.Clone(m.Values[0])
			}
		case *pgproto3.CommandComplete:
			if !selected {
				tag := string(m.CommandTag) // such as UPDATE 3
				rows, _ = strconv.Atoi(tag[strings.LastIndexByte(tag, ' ')+1:])
			}
			selected = false
		case *pgproto3.EmptyQueryResponse:
			rows = 0
		case *pgproto3.CopyInResponse, *pgproto3.CopyBothResponse:
			return 0, nil, errors.New("the query expects data instead of returning any")
		case *pgproto3.ErrorResponse:
			failure = &wire.Refusal{Text: m.Message, Code: m.Code}
			if m.SeverityUnlocalized == "FATAL" {
				return 0, nil, failure
			}
		case *pgproto3.ReadyForQuery:
			return rows, first, failure
		}
	}
}
