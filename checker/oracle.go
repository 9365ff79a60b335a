//go:build !nooracle

package checker

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	oracle "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/configurations"
	"github.com/sijms/go-ora/v2/network"
)

// hasOracle reports whether this build can check Oracle.
const hasOracle = true

// oracleCheck logs in to an Oracle database and runs a query, which must return a row. docs/checks.md says
// how far this was tried: there is no free server.
type oracleCheck struct {
	target  netip.AddrPort
	timeout time.Duration
	config  configurations.ConnectionConfig
	query   string
}

// oracleUnit is the largest packet that we ask for, in bytes, and Oracle's default.
const oracleUnit = 8192

var newOracle = ofQuery(newOracleQuery)

// newOracleQuery returns the check of a Spec whose database is a SID, or, after a slash, a service name.
func newOracleQuery(s Spec, e *Env, query string) (Checker, error) {
	c := &oracleCheck{target: s.Target, timeout: s.NegotiateTimeout, query: query}
	// All of it is set here: the driver's own parser takes names from the environment.
	c.config.UserID, c.config.Password = s.Login, s.Passwd
	if name, ok := strings.CutPrefix(s.Database, "/"); ok {
		c.config.ServiceName = name
	} else {
		c.config.SID = s.Database
	}
	c.config.Protocol = "tcp"
	c.config.SessionDataUnitSize, c.config.TransportDataUnitSize = oracleUnit, 0xffff
	c.config.PrefetchRows = 1
	c.config.ClientInfo = configurations.ClientInfo{
		ProgramPath: "ldirectord", ProgramName: "ldirectord", DriverName: "ldirectord",
		OSUserName: "ldirectord",
		HostName:   e.HostName, PID: os.Getpid(), Language: "AMERICAN", Territory: "AMERICA",
	}
	return c, nil
}

// Check implements Checker.
func (c *oracleCheck) Check(ctx context.Context) Result {
	d := &oracleDialer{ctx: ctx, target: c.target, timeout: c.timeout, deadline: time.Now().Add(c.timeout)}
	defer d.close()
	seen, err := sqlAsk(c.query, func() (sqlSession, error) { return c.logIn(d) }, d.fault)
	return concluded(ctx, seen, err)
}

// conceals implements concealer: a session's key, also the server's, is hidden by the password alone.
func (*oracleCheck) conceals(bool, string) bool { return true }

var errNotOracle = errors.New("this is not Oracle")

func (c *oracleCheck) logIn(d *oracleDialer) (sqlSession, error) {
	config := c.config
	config.Dialer = d
	config.Servers = []configurations.ServerAddr{{Addr: c.target.Addr().String(), Port: int(c.target.Port())}}
	session, err := oracle.NewConnection("", &config)
	if err != nil {
		return nil, err
	}
	return session, session.OpenWithContext(context.Background())
}

// oracleDialer connects the driver to the server, and again where its listener redirects to.
type oracleDialer struct {
	ctx      context.Context // of the check: the driver's own is never done
	target   netip.AddrPort
	timeout  time.Duration
	deadline time.Time
	dialled  int
	server   *libConn // nil before the first connection
	failed   error    // to connect
}

// maxOracleDials bounds how often a listener may redirect.
const maxOracleDials = 3

// DialContext implements configurations.DialerContext. A redirect gives another port of the server,
// as of a dispatcher; the address stays that of the server, as its peers must not answer for it.
func (d *oracleDialer) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	to := d.target
	if d.dialled > 0 {
		_, port, _ := net.SplitHostPort(address)
		redirected, err := netip.ParseAddrPort(net.JoinHostPort(to.Addr().String(), port))
		if err != nil || d.dialled == maxOracleDials {
			d.failed = errors.New("login: the listener redirects to nowhere")
			return nil, d.failed
		}
		to = redirected
	}
	d.dialled++
	d.close()
	tcp, err := connect(d.ctx, to, d.deadline, d.timeout)
	if err != nil {
		d.failed = err
		return nil, err
	}
	d.server = newLibConn(newDialogue(tcp), maxSQL, oracleHeader, nil)
	d.server.length = oracleLengths(d.server.in)
	return d.server, nil
}

func (d *oracleDialer) close() {
	if d.server != nil {
		d.server.Close()
	}
}

// fault explains an error: the server's own, or what went wrong in a stage of the check.
func (d *oracleDialer) fault(s libStep, err error) error {
	var said *network.OracleError
	switch {
	case d.failed != nil:
		return d.failed
	case d.server == nil:
		return s.stage.of(stageFault(s.name, err))
	case errors.As(err, &said):
		text, _, _ := strings.Cut(said.Error(), " error occur at position")
		err = &refusal{text: strings.TrimSpace(text)}
	}
	return d.server.fault(s, err)
}

// oracleHeader is the size of the header of a TNS packet.
const oracleHeader = 8

// tnsAccept is the type of the packet that accepts a connection.
const tnsAccept = 2

// oracleLengths returns what tells how many bytes of a TNS packet follow its header. Its length has
// two bytes, or four once version 315 or later is agreed on.
func oracleLengths(in *bufio.Reader) func(header []byte) (int, error) {
	wide := false
	return func(header []byte) (int, error) {
		length := int(binary.BigEndian.Uint16(header))
		if wide {
			length = int(binary.BigEndian.Uint32(header))
		}
		if length < oracleHeader || header[4] == 0 || header[4] > 20 {
			return 0, errNotOracle
		}
		if header[4] == tnsAccept && !wide {
			version, err := in.Peek(2)
			if err != nil {
				return 0, err
			}
			wide = binary.BigEndian.Uint16(version) >= 315
		}
		return length - oracleHeader, nil
	}
}
