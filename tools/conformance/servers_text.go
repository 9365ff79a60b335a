package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// patience with a client; idle= changes it.
const clientTime = 10 * time.Second

// serveHTTP settings: status, body, location, needhost (another Host gets 404), path:/x=STATUS,BODY, delay,
// silent, drip (the body comes a byte in this time). It logs METHOD TARGET HOST.
func serveHTTP(conn net.Conn, s *server) error {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	s.log("%s %s %s", request.Method, request.RequestURI, request.Host)
	if s.get("silent", "") != "" {
		_, err := io.Copy(io.Discard, conn)
		return err
	}
	s.pauses("delay")
	status, body := s.get("status", "200"), unescaped(s.get("body", "ok"), "\n")
	if own := s.get("path:"+request.RequestURI, ""); own != "" {
		status, body, _ = strings.Cut(own, ",")
	}
	if host := s.get("needhost", request.Host); host != request.Host {
		status, body = "404", "wrong host"
	}
	location := ""
	if to := s.get("location", ""); to != "" && status[0] == '3' {
		location = "Location: " + to + "\r\n"
	}
	code, _ := strconv.Atoi(status) // a status that is no number has no text
	fmt.Fprintf(conn,
		"HTTP/1.1 %s %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n",
		status, http.StatusText(code), len(body), location)
	if request.Method == http.MethodHead {
		return nil
	}
	for i := range body {
		if _, err := io.WriteString(conn, body[i:i+1]); err != nil {
			return err
		}
		s.pauses("drip")
	}
	return nil
}

func unescaped(text, lineEnd string) string { return strings.ReplaceAll(text, `\n`, lineEnd) }

// serveTCP settings: mode=accept (close at once), silent, answer (reply= after the first bytes), whole (reply=
// after the end of the request), echo; banner. It logs what came, quoted.
func serveTCP(conn net.Conn, s *server) error {
	if s.get("mode", "accept") == "echo" {
		conn.SetDeadline(time.Time{})
	}
	io.WriteString(conn, unescaped(s.get("banner", ""), "\r\n"))
	var got []byte
	var err error
	switch s.get("mode", "accept") {
	case "silent":
		_, err = io.Copy(io.Discard, conn)
		return err
	case "echo":
		_, err = io.Copy(conn, conn)
		return err
	case "answer":
		got = make([]byte, 4096)
		var n int
		n, err = conn.Read(got)
		got = got[:n]
	case "whole":
		got, err = io.ReadAll(io.LimitReader(conn, 4096))
	default:
		return nil
	}
	if err != nil && err != io.EOF {
		return err
	}
	s.log("%q", got)
	_, err = io.WriteString(conn, unescaped(s.get("reply", `pong\n`), "\n"))
	return err
}

// session answers the lines of one client. Settings of all: banner, user and pass (what must be given), silent.
type session struct {
	conn     net.Conn
	server   *server
	user     string
	entered  bool         // ftp: logged in
	passive  net.Listener // ftp: where the client fetches data
	active   string       // ftp: where it is sent instead
	received mail
}

// dialogue is a protocol of lines: next gives the answer to one, and reports whether it was the last.
func dialogue(next func(*session, []string) (answer string, last bool)) func(net.Conn, *server) error {
	return func(conn net.Conn, s *server) error {
		d := &session{conn: conn, server: s}
		defer d.closePassive()
		if s.get("silent", "") != "" {
			_, err := io.Copy(io.Discard, conn)
			return err
		}
		greeting := map[string]string{"smtp": "220 test ESMTP", "pop": "+OK ready", "imap": "* OK ready",
			"nntp": "200 ready", "ftp": "220 ready"}
		fmt.Fprintf(conn, "%s\r\n", s.get("banner", greeting[s.kind]))
		lines := bufio.NewScanner(conn)
		inMail := false
		for lines.Scan() {
			line := strings.TrimRight(lines.Text(), "\r")
			if inMail && line != "." {
				d.received.Data = append(d.received.Data, strings.TrimPrefix(line, "."))
				continue
			}
			s.log("%s", line)
			answer, last := next(d, strings.Split(line, " "))
			inMail = strings.HasPrefix(answer, "354")
			fmt.Fprintf(conn, "%s\r\n", answer)
			if last {
				return nil
			}
		}
		return lines.Err()
	}
}

func (d *session) mayEnter(pass string) bool {
	return d.server.is("user", d.user) && d.server.is("pass", pass)
}

// smtpSession keeps each mail as a line of JSON in $W/mail.store.
func smtpSession(d *session, word []string) (string, bool) {
	argument := func() string {
		_, value, _ := strings.Cut(strings.Join(word, " "), ":")
		value, _, _ = strings.Cut(value, ">")
		return strings.Trim(value, " <")
	}
	switch strings.ToUpper(word[0]) {
	case "MAIL":
		d.received = mail{From: argument()}
	case "RCPT":
		if d.server.get("refuse", "") != "" {
			return "550 not here", false
		}
		d.received.To = append(d.received.To, argument())
	case "DATA":
		return "354 go on", false
	case ".":
		if err := d.received.store(); err != nil {
			return "451 " + err.Error(), false
		}
	case "QUIT":
		return "221 bye", true
	}
	return "250 ok", false
}

func (m mail) store() error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(mailbox, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	return err
}

func readMails(path string, from int64) (mails []mail, err error) {
	for _, line := range readLines(path, from) {
		var m mail
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			return nil, err
		}
		mails = append(mails, m)
	}
	return mails, nil
}

func popSession(d *session, word []string) (string, bool) {
	switch strings.ToUpper(word[0]) {
	case "USER":
		d.user = word[1]
	case "PASS":
		if !d.mayEnter(strings.Join(word[1:], " ")) {
			return "-ERR no", false
		}
	case "CAPA":
		return "+OK\r\nUSER\r\n.", false
	case "STAT":
		return "+OK 0 0", false
	case "QUIT":
		return "+OK", true
	}
	return "+OK", false
}

func imapSession(d *session, word []string) (string, bool) {
	if len(word) < 2 {
		return "* BAD", true
	}
	switch tag := word[0]; strings.ToUpper(word[1]) {
	case "LOGIN":
		d.user = strings.Trim(word[2], `"`)
		if !d.mayEnter(strings.Trim(word[3], `"`)) {
			return tag + " NO denied", false
		}
		return tag + " OK in", false
	case "LOGOUT":
		return "* BYE\r\n" + tag + " OK", true
	case "CAPABILITY":
		return "* CAPABILITY IMAP4rev1\r\n" + tag + " OK", false
	default:
		return tag + " OK", false
	}
}

func nntpSession(_ *session, word []string) (string, bool) {
	if strings.EqualFold(word[0], "QUIT") {
		return "205 bye", true
	}
	return "200 ok", false
}

// ftpSession settings: file (its content), missing.
func ftpSession(d *session, word []string) (string, bool) {
	switch strings.ToUpper(word[0]) {
	case "USER":
		d.user = word[1]
		return "331 pass", false
	case "PASS":
		if d.entered = d.mayEnter(strings.Join(word[1:], " ")); !d.entered {
			return "530 no", false
		}
		return "230 in", false
	case "CWD":
		return "250 ok", false
	case "PASV", "EPSV":
		return d.openPassive(word[0]), false
	case "PORT":
		return d.openActive(word[1]), false
	case "RETR":
		switch {
		case !d.entered:
			return "530 who?", false
		case d.server.get("missing", "") != "":
			return "550 no such file", false
		}
		return d.sendFile(), false
	case "QUIT":
		return "221 bye", true
	}
	return "200 ok", false
}

func (d *session) closePassive() {
	if d.passive != nil {
		d.passive.Close()
	}
}

func (d *session) openPassive(command string) string {
	d.closePassive()
	host, _, err := net.SplitHostPort(d.server.address)
	if err == nil {
		d.passive, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return "421 " + err.Error()
	}
	port := d.passive.Addr().(*net.TCPAddr).Port
	if strings.EqualFold(command, "EPSV") {
		return fmt.Sprintf("229 ok (|||%d|)", port)
	}
	return fmt.Sprintf("227 ok (%s,%d,%d)", strings.ReplaceAll(host, ".", ","), port/256, port%256)
}

// openActive takes h1,h2,h3,h4,p1,p2 (RFC 959, 4.1.2).
func (d *session) openActive(argument string) string {
	var h [4]byte
	var high, low byte
	if _, err := fmt.Sscanf(argument, "%d,%d,%d,%d,%d,%d", &h[0], &h[1], &h[2], &h[3], &high, &low); err != nil {
		return "501 " + err.Error()
	}
	d.active = netip.AddrPortFrom(netip.AddrFrom4(h), uint16(high)<<8|uint16(low)).String()
	return "200 ok"
}

func (d *session) sendFile() string {
	fmt.Fprint(d.conn, "150 here\r\n")
	data, err := d.dataConnection()
	if err != nil {
		return "425 " + err.Error()
	}
	defer data.Close()
	io.WriteString(data, d.server.get("file", "content"))
	return "226 done"
}

func (d *session) dataConnection() (net.Conn, error) {
	switch {
	case d.active != "":
		return net.DialTimeout("tcp", d.active, clientTime)
	case d.passive != nil:
		return d.passive.Accept()
	}
	return nil, fmt.Errorf("neither PASV nor PORT")
}

// syslogAnswer keeps the messages as lines.
func syslogAnswer(message []byte, s *server) []byte {
	s.log("%s", strings.TrimRight(string(message), "\n\x00"))
	return nil
}
