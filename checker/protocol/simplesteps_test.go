package protocol

import (
	"io"
)

// awaitBytes reads exactly these bytes.
func awaitBytes(want string) step {
	return func(c *client) bool {
		got := make([]byte, len(want))
		n, err := io.ReadFull(c.read, got)
		return c.compare(string(got[:n]), want, err)
	}
}
