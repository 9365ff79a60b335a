package checker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxRedis bounds what a Redis server may say, in bytes: INFO has a line for each replica.
const maxRedis = 64 << 10

// redisCheck logs in to a Redis server, if there is a password, and pings it. With `receive` its
// role in a replication must match, as role:master.
type redisCheck struct {
	target  netip.AddrPort
	timeout time.Duration
	login   string
	passwd  string
	receive *matcher // nil: any role
}

func newRedis(s Spec, e *Env) (Checker, error) {
	c := &redisCheck{target: s.Target, timeout: s.NegotiateTimeout, login: s.Login, passwd: s.Passwd}
	if s.Receive == "" {
		return c, nil
	}
	var err error
	if c.receive, err = e.matcher(s.Receive); err != nil {
		return nil, &SpecError{"receive", err}
	}
	return c, nil
}

// Check implements Checker.
func (c *redisCheck) Check(ctx context.Context) Result {
	deadline := time.Now().Add(c.timeout)
	tcp, err := connect(ctx, c.target, deadline, c.timeout)
	if err != nil {
		return failed(ctx, err)
	}
	defer tcp.Close()
	server := newLibConn(tcp, maxRedis)
	seen, err := c.ask(ctx, &redisTalk{server, bufio.NewReader(server)})
	if err != nil {
		return failed(ctx, err)
	}
	return passed(seen)
}

// ask makes the check and logs out. It returns what was seen.
func (c *redisCheck) ask(ctx context.Context, r *redisTalk) (seen string, err error) {
	defer r.send("QUIT")
	if err := c.logIn(r); err != nil {
		return "", err
	}
	pong, err := r.command("PING")
	if err != nil {
		return "", r.fault(libStep{AtAnswer, "PING", "PING refused"}, err, redisRefused(err))
	}
	if pong != "PONG" {
		return "", fmt.Errorf("PING is answered by %s", excerpt([]byte(pong)))
	}
	if c.receive == nil {
		return pong, nil
	}
	info, err := r.command("INFO", "replication")
	if err != nil {
		return "", r.fault(libStep{AtAnswer, "INFO", "INFO refused"}, err, redisRefused(err))
	}
	role := redisRole(info)
	ok, err := c.receive.match(ctx, []byte(role))
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", mismatch("the role does not match %s: got %s", c.receive, excerpt([]byte(role)))
	}
	return escape(role, maxExcerpt), nil
}

func (c *redisCheck) logIn(r *redisTalk) (err error) {
	switch {
	case c.login != "":
		_, err = r.command("AUTH", c.login, c.passwd)
	case c.passwd != "":
		_, err = r.command("AUTH", c.passwd)
	}
	if err != nil {
		return r.fault(loginStep, err, redisRefused(err))
	}
	return nil
}

// redisRole is the line of INFO that tells a server's role.
func redisRole(info string) string {
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, "role:") {
			return strings.TrimRight(line, "\r\n")
		}
	}
	return ""
}

// redisTalk is a connection on which each command has one reply (the RESP specification).
type redisTalk struct {
	*libConn
	in *bufio.Reader
}

// redisRefusal is an error that the server reports.
type redisRefusal string

func (e redisRefusal) Error() string { return escape(string(e), 4*maxExcerpt) }

// command sends one and reads its reply: a line, or a bulk string.
func (r *redisTalk) command(words ...string) (string, error) {
	if err := r.send(words...); err != nil {
		return "", err
	}
	line, err := r.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(line, "\r\n")
	switch line[0] {
	case '+':
		return text[1:], nil
	case '-':
		return "", redisRefusal(text[1:])
	case '$':
		return r.bulk(text[1:])
	}
	return "", fmt.Errorf("this is not Redis: got %s", excerpt([]byte(line)))
}

func (r *redisTalk) send(words ...string) error {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, word := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(word), word)
	}
	_, err := r.Write(b)
	return err
}

// bulk reads a string whose length was given.
func (r *redisTalk) bulk(length string) (string, error) {
	n, err := strconv.ParseUint(length, 10, 31)
	switch {
	case err != nil:
		return "", fmt.Errorf("this is not Redis: got %s", excerpt([]byte("$"+length)))
	case n > maxRedis:
		return "", errTooMuch
	}
	text := make([]byte, n+uint64(len("\r\n")))
	_, err = io.ReadFull(r.in, text)
	return string(text[:n]), err
}

// redisRefused is an error that the server reports, or "".
func redisRefused(err error) string {
	var said redisRefusal
	if errors.As(err, &said) {
		return said.Error()
	}
	return ""
}
