package protocol

// nntp waits for the greeting of a news server (RFC 3977, 5.1), and requires nothing more.
func nntp(d *dialogue) (string, error) {
	defer d.Quit("QUIT")
	return d.Greeting("NNTP")
}
