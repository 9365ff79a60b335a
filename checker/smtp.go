package checker

import (
	"context"
	"net"
	"strings"
)

// smtp greets a mail server and is greeted back (RFC 5321, 3.1 and 3.2). No mail is begun.
func smtp(_ context.Context, d *dialogue) (string, error) {
	defer d.quit("QUIT")
	greeting, err := d.greeting("SMTP")
	if err != nil {
		return "", err
	}
	answer, err := d.hello()
	if err == nil && d.offered != nil {
		err = d.secureSMTP(answer)
	}
	return greeting, err
}

// hello says EHLO, and HELO to a server that does not know it.
func (d *dialogue) hello() (reply, error) {
	name := smtpName(cleanField(d.hostName), d.conn.LocalAddr())
	answer, err := d.ask("SMTP", "EHLO "+name)
	if err == nil && answer.code/100 == 5 {
		answer, err = d.ask("SMTP", "HELO "+name)
	}
	return answer, agreed(err, answer.good(), "hello rejected", answer.text)
}

// secureSMTP starts TLS and says hello again, as what was said before does not count (RFC 3207, 4.2).
func (d *dialogue) secureSMTP(offers reply) error {
	if !offers.has("STARTTLS") {
		return AtTLS.of(errNotOffered)
	}
	answer, err := d.ask("SMTP", "STARTTLS")
	if err := d.startTLS(answer.text, answer.code == 220, err); err != nil {
		return err
	}
	_, err = d.hello()
	return err
}

// smtpName is how we call ourselves: by a full host name, or else by our address (RFC 5321, 4.1.3), as
// servers may refuse half a name.
func smtpName(hostName string, local net.Addr) string {
	if strings.Contains(hostName, ".") && !strings.Contains(hostName, " ") {
		return hostName
	}
	tcp, ok := local.(*net.TCPAddr)
	switch {
	case !ok || tcp.IP == nil:
		return "localhost"
	case tcp.IP.To4() != nil:
		return "[" + tcp.IP.String() + "]"
	}
	return "[IPv6:" + tcp.IP.String() + "]"
}
