package protocol

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

var goodPgSQL = Spec{
	Type: "negotiate", Service: "pgsql", Protocol: "tcp", NegotiateTimeout: 5 * time.Second,
	Request: "/SELECT 1 FROM t", Account: settings.Account{Login: "check", Passwd: "secret", Database: "chk"},
}

var (
	pgLetIn = []pgproto3.BackendMessage{
		&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "15"},
		&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 2}},
		&pgproto3.ReadyForQuery{TxStatus: 'I'},
	}
	pgRows  = &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("enabled")}}}
	pgRow   = &pgproto3.DataRow{Values: [][]byte{[]byte("1")}}
	pgReady = &pgproto3.ReadyForQuery{TxStatus: 'I'}
	pgFound = []pgproto3.BackendMessage{pgRows, pgRow, pgDone("SELECT 1"), pgReady}
)

func pgDone(tag string) *pgproto3.CommandComplete {
	return &pgproto3.CommandComplete{CommandTag: []byte(tag)}
}

func pgSays(severity, code, message string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: message}
}

// pgAsking is a server that asks for the password in clear text. It offers TLS if it is given some; plain: log-ins are
// possible only without.
func pgAsking(secure *tls.Config, plain bool) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		b := pgproto3.NewBackend(c, c)
		for {
			message, err := b.ReceiveStartupMessage()
			if err != nil {
				return
			}
			if _, ok := message.(*pgproto3.StartupMessage); ok {
				break
			}
			if secure == nil {
				c.Write([]byte("N"))
				continue
			}
			c.Write([]byte("S"))
			c = tls.Server(c, secure)
			b = pgproto3.NewBackend(c, c)
		}
		if _, over := c.(*tls.Conn); over && plain {
			pgSend(b, pgSays("FATAL", "28000", "no pg_hba.conf entry, SSL encryption"))
			return
		}
		pgSend(b, &pgproto3.AuthenticationCleartextPassword{})
		b.SetAuthType(pgproto3.AuthTypeCleartextPassword)
		for {
			message, err := b.Receive()
			if err != nil {
				return
			}
			switch m := message.(type) {
			case *pgproto3.PasswordMessage:
				s.keep("password " + m.Password)
				pgSend(b, pgLetIn...)
			case *pgproto3.Query:
				pgSend(b, pgFound...)
			}
		}
	}
}

func pgSend(b *pgproto3.Backend, messages ...pgproto3.BackendMessage) {
	for _, m := range messages {
		b.Send(m)
	}
	b.Flush()
}

func pgBytes(messages ...pgproto3.BackendMessage) (all []byte) {
	for _, m := range messages {
		all, _ = m.Encode(all)
	}
	return all
}

// The check connects once more, without TLS, to a server that offers TLS and permits log-ins only without it.
func TestPgSQLTriesWithoutTLS(t *testing.T) {
	testkit.Leaks(t)
	s := goodPgSQL
	s.Target = serve(t, pgAsking(serverTLS(t), true)).addr
	expect(t, checked(t, s), "up: SELECT returned a row; *")
}

// pgSay sends messages, pgFlood sends them forever.
func pgSay(text string) step   { return raw(string(pgBytes(pgMessages(text)...))) }
func pgFlood(text string) step { return endless(string(pgBytes(pgMessages(text)...))) }

func pgMessages(text string) []pgproto3.BackendMessage {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "in":
		return pgLetIn
	case "found":
		return pgFound
	}
	return []pgproto3.BackendMessage{pgMessage(word, rest)}
}

func pgMessage(word, rest string) pgproto3.BackendMessage {
	switch word {
	case "rows":
		return pgRows
	case "row":
		return &pgproto3.DataRow{Values: [][]byte{[]byte(rest)}}
	case "null":
		return &pgproto3.DataRow{Values: [][]byte{nil}}
	case "done":
		return pgDone(rest)
	case "ready":
		return pgReady
	case "empty":
		return &pgproto3.EmptyQueryResponse{}
	case "copy":
		return &pgproto3.CopyInResponse{}
	case "notice":
		return &pgproto3.NoticeResponse{Message: rest}
	case "parameter":
		return &pgproto3.ParameterStatus{Name: "x", Value: rest}
	case "password?":
		return &pgproto3.AuthenticationCleartextPassword{}
	case "kerberos":
		return &pgproto3.AuthenticationGSS{}
	case "sasl":
		return &pgproto3.AuthenticationSASL{AuthMechanisms: []string{rest}}
	case "scram":
		return &pgproto3.AuthenticationSASLContinue{Data: []byte(rest)}
	case "error":
		words := strings.SplitN(rest, " ", 3)
		return pgSays(words[0], words[1], words[2])
	}
	panic("no message of PostgreSQL: " + word)
}

// pgAwait reads a message of the check, and compares it.
func pgAwait(want string) step {
	return func(c *client) bool {
		b := pgproto3.NewBackend(c.read, c)
		receive := b.Receive
		if strings.HasPrefix(want, "tls?") || strings.HasPrefix(want, "start ") {
			receive = b.ReceiveStartupMessage
		}
		message, err := receive()
		got := fmt.Sprintf("%T", message)
		switch m := message.(type) {
		case *pgproto3.CancelRequest: // of another connection, which timed out
			return false
		case *pgproto3.SSLRequest:
			got = "tls?"
		case *pgproto3.StartupMessage:
			got = "start " + m.Parameters["user"] + " " + m.Parameters["database"]
		case *pgproto3.Query:
			got = "query " + m.String
		case *pgproto3.Terminate:
			got = "terminate"
		}
		return c.compare(got, want, err)
	}
}

// PostgreSQL's own client library would use all of these settings.
func TestPgSQLReadsNoSettingsOfTheUser(t *testing.T) {
	home := t.TempDir()
	writeFile(t, home, ".pgpass", "*:*:*:*:fromfile\n")
	writeFile(t, home, ".pg_service.conf", "[other]\nuser=other\n")
	for name, value := range map[string]string{
		"HOME": home, "PGHOST": "192.0.2.1", "PGPORT": "no port", "PGUSER": "other", "PGPASSWORD": "other",
		"PGDATABASE": "other",
		"PGSERVICE":  "missing", "PGSERVICEFILE": filepath.Join(home, "missing"),
		"PGPASSFILE": filepath.Join(home, ".pgpass"),
		"PGSSLMODE":  "verify-full", "PGSSLROOTCERT": filepath.Join(home, "missing"),
		"PGCONNECT_TIMEOUT":    "never",
		"PGTARGETSESSIONATTRS": "nonsense", "PGOPTIONS": "-c nonsense",
	} {
		t.Setenv(name, value)
	}
	s, d := goodPgSQL, dialogues{t: t}
	script := d.script(`pg> tls?; raw N; pg> "start check "; pg in; pg> query SELECT 1 FROM t; pg found`)
	s.Target, s.Database = serveScript(t, "127.0.0.1", script...), ""
	passes(t, s)
}

// The example of RFC 7677, section 3, in which the client sends a user name.
func TestScramMakesTheProofOfTheRFC(t *testing.T) {
	client := testkit.Must(scram.SHA256.NewClientUnprepped("user", "pencil", ""))(t)
	client.WithNonceGenerator(func() string { return "rOprNGfwEbeRWgbNEkqO" })
	keys := scramClient{client, 10}
	for _, signature := range []string{ // the second log-in uses the stored keys
		"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "AAriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	} {
		l := keys.logIn("pencil")
		const nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
		got, err := l.answer([]byte(nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"))
		want := "c=biws," + nonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
		if err != nil || string(got) != want {
			t.Fatalf("%s, %v\nwant %s", got, err, want)
		}
		if _, err := l.answer([]byte("v=" + signature)); (err == nil) != (signature[0] == '6') {
			t.Errorf("the signature %s: %v", signature, err)
		}
	}
}

func TestScramRefusesOddChallenges(t *testing.T) {
	for _, challenge := range []string{
		"", "r=abc", "r=other,s=AAAA,i=4096", "r=abcd,s=!,i=4096", "r=abcd,s=AAAA,i=0", "r=abcd,s=AAAA,i=x",
		"r=abcd,s=AAAA,i=99999999", "m=ext,r=abcd,s=AAAA,i=4096",
		"r=abcd,s=" + strings.Repeat("AAAA", maxScramMessage/4) + ",i=1", // so long a salt would be stored
	} {
		keys := scramClient{}
		keys.logIn("pencil")
		keys.WithNonceGenerator(func() string { return "abc" })
		l := keys.logIn("pencil")
		if l.first != "n,,n=,r=abc" {
			t.Fatal(l.first)
		}
		if got, err := l.answer([]byte(challenge)); err == nil {
			t.Errorf("%.60q is answered by %q", challenge, got)
		}
	}
}

// The keys of each salt are stored, and a server may send a new salt each time: the number of keys is limited.
func TestScramForgetsKeys(t *testing.T) {
	keys := scramClient{}
	keys.logIn("pencil")
	first := keys.Client
	for range maxScramLogins {
		keys.logIn("pencil")
	}
	testkit.Equal(t, keys.Client, first, "the keys are kept")
	if keys.logIn("pencil"); keys.Client == first {
		t.Error("the keys are kept forever")
	}
}

func TestPgSQLMD5(t *testing.T) {
	// md5(md5("secretcheck" in hex) + salt), as md5sum counts it
	testkit.Equal(t, pgsqlMD5("check", "secret", [4]byte{1, 2, 3, 4}), "md502cfab7b194fed7a6164b3e12511bd79")
}

func TestRealPostgreSQL(t *testing.T) {
	good, pid := startPostgres(t)
	checkReal(t, "postgresql", good)
	checkStopped(t, pid, good, "down: login: timeout")
}

// startPostgres starts PostgreSQL with a table of one row, and users for each kind of log-in.
func startPostgres(t *testing.T) (good Spec, pid int) {
	t.Helper()
	initdb := needPostgres(t, "initdb")
	dir := serverDir(t)
	data := filepath.Join(dir, "data")
	cert, key := writeCertificate(t, dir)
	password := writeFile(t, dir, "password", "secret\n")
	give(t, dir, "postgres")
	for _, path := range []string{cert, key} {
		testkit.OK(t, os.Chmod(path, 0o600))
	}
	asPostgres(t, "", initdb, "-D", data, "-U", "check", "--pwfile", password, "-A", "scram-sha-256", "--locale=C",
		"-E", "UTF8", "--no-sync")
	postgres := needPostgres(t, "postgres")
	asPostgres(t, "CREATE DATABASE chk;\n", postgres, "--single", "-D", data, "postgres")
	asPostgres(t, `CREATE TABLE t(enabled int)
INSERT INTO t VALUES (1)
CREATE USER secure PASSWORD 'secret'
CREATE USER open PASSWORD 'secret'
CREATE USER plain PASSWORD 'secret'
CREATE USER prepared PASSWORD 'secret²'
SET password_encryption = 'md5'
CREATE USER old PASSWORD 'secret'
GRANT SELECT ON t TO PUBLIC
`, postgres, "--single", "-D", data, "chk")
	writeFile(t, data, "pg_hba.conf", `host    all old    all md5
host    all plain  all password
hostssl all secure all scram-sha-256
hostnossl all open all scram-sha-256
host    all check,prepared all scram-sha-256
`)
	good = goodPgSQL
	good.TLSCA = cert
	good.Target = loopback(freePort(t))
	pid = realServer{
		path: postgres, user: "postgres",
		args: []string{
			"-D", data, "-p", fmt.Sprint(good.Target.Port()), "-c", "listen_addresses=127.0.0.1,::1",
			"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "autovacuum=off", "-c",
			"shared_buffers=1MB",
			"-c", "ssl=on", "-c", "ssl_cert_file=" + cert, "-c", "ssl_key_file=" + key,
		},
	}.answering(t, good)
	return good, pid
}

// needPostgres finds a program that Debian keeps outside of the search path, in the newest version if there are
// several.
func needPostgres(t *testing.T, program string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if len(found) == 0 {
		return needProgram(t, program, "postgresql")
	}
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("needs a real server: make test-all")
	}
	return found[len(found)-1]
}

// asPostgres runs a program as the user postgres: it refuses to run as root.
func asPostgres(t *testing.T, input, path string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, "postgres")}
	testkit.Run(t, cmd)
}
