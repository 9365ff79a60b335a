package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"

	driver "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/configurations"
	"github.com/sijms/go-ora/v2/network"

	"ldirectord/checker/oracle"
	"ldirectord/checker/query"
)

// check logs in and runs the query.
func check(q oracle.Question, sockets []net.Conn) oracle.Answer {
	d := &dialer{sockets: sockets}
	session, err := logIn(q, d)
	if err != nil {
		return d.failure(err)
	}
	defer session.Close()
	rows, _, err := query.Run(session, string(q.Query))
	answer := oracle.Answer{Outcome: oracle.Done}
	if err != nil {
		answer = d.failure(err)
	}
	answer.Rows, answer.InQuery = rows, true
	return answer
}

func logIn(q oracle.Question, d *dialer) (query.Session, error) {
	config := settings(q)
	config.Dialer = d
	session, err := driver.NewConnection("", config)
	if err != nil {
		return nil, err
	}
	return session, session.OpenWithContext(context.Background())
}

// settings returns the driver's configuration. It does not use the driver's own parser, which would read some values
// from the environment.
func settings(q oracle.Question) *configurations.ConnectionConfig {
	c := &configurations.ConnectionConfig{}
	c.UserID, c.Password = string(q.Login), string(q.Password)
	if name, ok := strings.CutPrefix(string(q.Database), "/"); ok {
		c.ServiceName = name
	} else {
		c.SID = string(q.Database)
	}
	c.Protocol = "tcp"
	c.SessionDataUnitSize, c.TransportDataUnitSize = oracle.Unit, 0xffff
	c.PrefetchRows = 1
	c.Servers = []configurations.ServerAddr{{Addr: q.Server.Addr().String(), Port: int(q.Server.Port())}}
	c.ClientInfo = configurations.ClientInfo{
		ProgramPath: "ldirectord", ProgramName: "ldirectord", DriverName: "ldirectord",
		OSUserName: "ldirectord",
		HostName:   q.HostName, PID: os.Getpid(), Language: "AMERICAN", Territory: "AMERICA",
	}
	return c
}

// failure returns the answer for a failed check. It contains the dialer's error if there is one, otherwise the
// server's, otherwise the driver's.
func (d *dialer) failure(err error) oracle.Answer {
	answer := oracle.Answer{Outcome: oracle.Failed, Lost: d.lost.Load()}
	var refusal *network.OracleError
	text := err.Error()
	switch {
	case d.failed != nil:
		text, answer.Lost = d.failed.Error(), false
	case errors.As(err, &refusal):
		answer.Outcome = oracle.Refused
		text, _, _ = strings.Cut(refusal.Error(), " error occur at position")
		text = strings.TrimSpace(text)
	}
	answer.Text = []byte(text[:min(len(text), oracle.MaxText)])
	return answer
}
