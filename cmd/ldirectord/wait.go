package main

import (
	"context"
	"fmt"
	"slices"

	"ldirectord/internal/runfile"
	"ldirectord/internal/status"
)

// waitFor waits until a server is up or out.
func waitFor(c *call) error {
	last := len(c.args) - 1
	server, word := c.args[:last], c.args[last]
	if word != "up" && word != "out" {
		return misused("wait: %q: up and out are allowed", word)
	}
	now, err := c.askWhy(server)
	if err != nil {
		return err
	}
	ending, cancel := context.WithTimeout(c.ctx, c.Timeout)
	defer cancel()
	awaited := now.Servers
	for {
		awaited = slices.DeleteFunc(awaited, func(s status.Case) bool { return c.isAs(s, word) })
		if len(awaited) == 0 {
			return nil
		}
		if !runfile.Pause(ending, idleInterval) {
			s := awaited[0]
			late := fmt.Errorf("%s of %s is not %s after %v", s.Real, s.Virtual, word, c.Timeout)
			if err != nil { // no daemon answered the last question
				late = fmt.Errorf("%w: %v", late, err)
			}
			return exit{exitLate, late}
		}
		now, err = c.askWhy(server)
		switch {
		case now == nil: // another daemon may follow one that stops
		case err != nil && word == "up": // the server has left the file
			return err
		default:
			awaited = now.Servers
		}
	}
}

// isAs reports whether a server is in the state that word names, up or out. A server is up if it is in the table with a
// weight above 0. It is out if it is not in the table, or has weight 0 and no active connections. A table in memory has
// no connections.
func (o *options) isAs(s status.Case, word string) bool {
	if s.TableWeight == nil || *s.TableWeight > 0 {
		return (s.TableWeight == nil) == (word == "out")
	}
	isIdle := o.table.Live == nil || s.Connections != nil && s.Connections.Active == 0
	return word == "out" && isIdle
}
