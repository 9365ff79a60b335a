package main

import (
	"context"
	"fmt"
	"slices"

	"ldirectord/instance"
	"ldirectord/status"
)

// waitFor waits until a server is up or out.
func waitFor(ctx context.Context, c *call) error {
	last := len(c.args) - 1
	word := c.args[last]
	is, known := map[string]func(status.Case) bool{"up": isUp, "out": c.isOut}[word]
	if !known {
		return exit{exitUsage, fmt.Errorf("wait: %q: up and out are allowed", word)}
	}
	c.args = c.args[:last]
	now, err := c.askWhy(ctx)
	if err != nil {
		return err
	}
	ending, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for awaited := now.Servers; ; {
		pending := slices.DeleteFunc(awaited, is)
		if len(pending) == 0 {
			return nil
		}
		if !instance.Pause(ending, idleInterval) {
			s := pending[0]
			late := fmt.Errorf("%s of %s is not %s after %v", s.Real, s.Virtual, word, c.timeout)
			return exit{exitLate, late}
		}
		awaited = pending
		if now, err = c.askWhy(ctx); err == nil { // a daemon that ends may be followed by another one
			awaited = now.Servers
		}
	}
}

// isUp reports whether a server gets new connections.
func isUp(s status.Case) bool { return s.TableWeight != nil && *s.TableWeight > 0 }

// isOut reports whether a server is not in the table, or has neither weight nor connections there.
func (c *call) isOut(s status.Case) bool {
	if s.TableWeight == nil {
		return true
	}
	isIdle := c.ipvs != defaultIPVS || s.Connections != nil && s.Connections.Active == 0
	return *s.TableWeight == 0 && isIdle
}
