package protocol

// pop logs in to a mailbox (RFC 1939). If login is not set, the greeting, and TLS if required, are enough.
func pop(d *dialogue) (string, error) {
	defer d.Quit("QUIT")
	greeting, err := d.Greeting("POP")
	if err == nil && d.Offered != nil {
		err = d.AskTLS("STLS", 200) // RFC 2595, 4
	}
	if err != nil || d.Login == "" {
		return greeting, err
	}
	return d.logIn(d.Login, 200)
}
