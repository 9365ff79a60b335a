package main

import (
	"context"
	"net/url"
)

// trace shows what is said in the next checks that the running daemon makes of a server.
func trace(ctx context.Context, c *call) error {
	words := url.Values{"virtual": {c.args[0]}, "server": {c.args[1]}, "for": {c.last}}
	return c.socket().Follow(ctx, "/trace?"+words.Encode(), flushed{c})
}

// flushed is for an answer that comes in pieces.
type flushed struct{ *call }

func (f flushed) Write(p []byte) (int, error) {
	n, _ := f.out.Write(p) // which remembers an error
	return n, f.out.Flush()
}
