package protocol

import "ldirectord/checker/wire"

// smtp exchanges greetings with a mail server (RFC 5321, 3.1 and 3.2). It sends no mail.
func smtp(d *dialogue) (string, error) {
	defer d.Quit("QUIT")
	greeting, err := d.Greeting("SMTP")
	if err != nil {
		return "", err
	}
	answer, err := d.hello()
	if err == nil && d.Offered != nil {
		err = d.secureSMTP(answer)
	}
	return greeting, err
}

// hello sends EHLO, or HELO to a server that does not know EHLO.
func (d *dialogue) hello() (wire.Reply, error) {
	name := wire.SMTPName(wire.CleanField(d.hostName), d.Conn.LocalAddr())
	answer, err := d.Ask("EHLO " + name)
	if err == nil && answer.Code/100 == 5 {
		answer, err = d.Ask("HELO " + name)
	}
	return answer, wire.Agreed(err, answer.Good(), "hello rejected", answer.Text)
}

// secureSMTP starts TLS and sends hello again, because what the server sent before TLS does not count (RFC 3207, 4.2).
func (d *dialogue) secureSMTP(offers wire.Reply) error {
	if !offers.Has("STARTTLS") {
		return wire.AtTLS.Of(wire.ErrNotOffered)
	}
	if err := d.AskTLS("STARTTLS", 220); err != nil {
		return err
	}
	_, err := d.hello()
	return err
}
