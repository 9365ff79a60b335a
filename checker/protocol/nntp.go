package protocol

// nntp waits for the greeting of a news server (RFC 3977, 5.1). The greeting is enough.
func nntp(d *dialogue) (string, error) {
	defer d.Quit("QUIT")
	return d.Greeting("NNTP")
}
