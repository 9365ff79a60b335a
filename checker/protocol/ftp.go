package protocol

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ldirectord/checker/wire"
)

// ftp logs in, fetches a file and compares it with receive (RFC 959). If no file is requested, it is enough that the
// server accepts the log-in and the commands that prepare a transfer.
func ftp(d *dialogue) (string, error) {
	defer d.Quit("QUIT")
	if _, err := d.Greeting("FTP"); err != nil {
		return "", err
	}
	if d.Offered != nil {
		d.Offered = d.Offered.Clone()
		// Data connections resume the session, because servers verify that the client is the same. Without a
		// name, Go would look the session up by address and port, and the port differs. Go does not send an
		// address as a name.
		d.Offered.ServerName = cmp.Or(d.Offered.ServerName, d.target.Addr().String())
		d.Offered.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		if err := d.AskTLS("AUTH TLS", 234); err != nil { // RFC 4217, 4
			return "", err
		}
	}
	welcome, err := d.logIn(cmp.Or(d.Login, "anonymous"), 331)
	if err == nil {
		err = d.demand(2, "CWD /", "TYPE I")
	}
	if err != nil || d.asks == "" || d.asks == "/" && d.receive.pattern == "" {
		return welcome, err
	}
	return fetchFTP(d)
}

// demand sends commands, and requires replies of one kind: 1 means preliminary, 2 means completion.
func (d *dialogue) demand(kind int, commands ...string) error {
	for _, command := range commands {
		r, err := d.Ask(command)
		verb, _, _ := strings.Cut(command, " ")
		if err := wire.Agreed(err, r.Code/100 == kind, verb+" rejected", r.Text); err != nil {
			return err
		}
	}
	return nil
}

// fetchFTP fetches the file and compares it with receive. If the server accepts no data connection, fetchFTP lets the
// server open one, as the Perl ldirectord does.
func fetchFTP(d *dialogue) (string, error) {
	data, passive := passiveFTP(d)
	if passive == nil {
		defer data.Close()
		return retrieve(d, func() (*wire.Conn, error) { return data, nil })
	}
	l, refusal := activeFTP(d)
	if refusal != nil {
		return "", passive
	}
	defer l.Close()
	defer context.AfterFunc(d.ctx, func() { l.SetDeadline(wire.LongAgo) })()
	return retrieve(d, func() (*wire.Conn, error) {
		c, err := d.acceptFTP(l)
		if err != nil {
			return nil, wire.NewFault(err, "data connection from the server: %s, after %v",
				wire.Reason(err), passive)
		}
		return wire.Guard(d.ctx, c, d.Conn.Deadline)
	})
}

// acceptFTP waits for the server's connection. It closes connections from other hosts, because otherwise a stranger
// could decide the result.
func (d *dialogue) acceptFTP(l *net.TCPListener) (net.Conn, error) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
		if from == d.own || from == d.target.Addr().Unmap().WithZone("") {
			return c, nil
		}
		c.Close()
	}
}

// retrieve fetches the file over a data connection. It calls open after it has requested the file.
func retrieve(d *dialogue, open func() (*wire.Conn, error)) (string, error) {
	var err error
	if d.Conn.TLS != nil { // files also go over TLS (RFC 4217, 9)
		err = d.demand(2, "PBSZ 0", "PROT P")
	}
	if err == nil {
		err = d.demand(1, "RETR "+d.asks)
	}
	content := beginning{ctx: d.ctx, limits: d.receive.limits}
	defer content.close()
	if err == nil {
		err = readFTP(d, open, &content)
	}
	if err != nil {
		return "", err
	}
	file, text := wire.Show(d.asks), content.text
	what := file
	if len(text) > maxText {
		text, what = text[:maxText], fmt.Sprintf("%s in its first %d bytes", file, maxText)
	} else if done, err := d.Reply("the end of the transfer"); err != nil || !done.Good() {
		return "", wire.Agreed(err, false, "transfer failed", done.Text)
	}
	return fmt.Sprintf("%s: %d bytes", file, len(text)), d.want(what, text)
}

// readFTP reads the file to its end, or up to one byte beyond the limit.
func readFTP(d *dialogue, open func() (*wire.Conn, error), content *beginning) error {
	data, err := open()
	if err != nil {
		return err
	}
	defer data.End()
	if d.Conn.TLS != nil {
		if err := data.OpenTLS(d.Offered); err != nil {
			return wire.NewFault(err, "data: %v", err)
		}
	}
	err = content.read(data, maxText+1, d.Conn, data)
	// many servers end without closing TLS; the reply decides
	if err == nil || err == io.EOF || d.Conn.TLS != nil && wire.IsClosed(err) {
		return nil
	}
	return wire.NewFault(err, "%s during the file transfer", wire.Reason(err))
}

// passiveFTP asks for a port and opens a data connection to it. The connection must open within half of the time that
// is left.
func passiveFTP(d *dialogue) (*wire.Conn, error) {
	port, err := passivePorts(d)
	if err != nil {
		return nil, err
	}
	left := time.Until(d.Conn.Deadline) / 2
	c, err := wire.ConnectUntil(d.ctx, netip.AddrPortFrom(d.target.Addr(), port), time.Now().Add(left),
		left.Round(time.Second/10))
	if err != nil {
		return nil, wire.NewFault(err, "data %v", err)
	}
	c.Deadline = d.Conn.Deadline
	if err := c.Until(c.Deadline); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// activeFTP opens a port for the server's data connection and announces it with EPRT (RFC 2428), or with PORT for IPv4.
func activeFTP(d *dialogue) (*net.TCPListener, error) {
	own := d.Conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	l, err := wire.Listen(d.ctx, own, d.target)
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	command := fmt.Sprintf("EPRT |2|%s|%d|", own, port)
	if own.Is4() {
		command = fmt.Sprintf("PORT %s,%d,%d", strings.ReplaceAll(own.String(), ".", ","), port>>8, port&0xff)
	}
	err = l.SetDeadline(d.Conn.Deadline)
	if err == nil {
		err = d.demand(2, command)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// passivePorts asks for a data port with EPSV (RFC 2428), or with PASV for older servers. It ignores the address in a
// reply to PASV, because that address is wrong behind address translation.
func passivePorts(d *dialogue) (uint16, error) {
	r, err := d.Ask("EPSV")
	if err == nil && r.Code == 229 {
		return extendedPort(r.Text)
	}
	if err == nil {
		r, err = d.Ask("PASV")
	}
	if err := wire.Agreed(err, r.Code == 227, "PASV rejected", r.Text); err != nil {
		return 0, err
	}
	return passivePort(r.Text)
}

var errNoPort = errors.New("the server's reply has no valid data port")

// extendedPort reads a reply to EPSV: 229 … (|||6446|).
func extendedPort(text string) (uint16, error) {
	_, inner, _ := strings.Cut(text, "(")
	inner, _, _ = strings.Cut(inner, ")")
	if fields := strings.Split(inner, inner[:min(1, len(inner))]); len(fields) == 5 && fields[4] == "" {
		if port, err := strconv.ParseUint(fields[3], 10, 16); err == nil && port > 0 {
			return uint16(port), nil
		}
	}
	return 0, errNoPort
}

// passivePort reads a reply to PASV: 227 … (192,0,2,1,25,46). The parentheses may be missing
// (RFC 1123, 4.1.2.6).
func passivePort(text string) (uint16, error) {
	fields := strings.FieldsFunc(text[3:], func(r rune) bool { return r < '0' || r > '9' })
	if len(fields) < 6 {
		return 0, errNoPort
	}
	high, errHigh := strconv.ParseUint(fields[len(fields)-2], 10, 8)
	low, errLow := strconv.ParseUint(fields[len(fields)-1], 10, 8)
	if errHigh != nil || errLow != nil || high+low == 0 {
		return 0, errNoPort
	}
	return uint16(high<<8 | low), nil
}
