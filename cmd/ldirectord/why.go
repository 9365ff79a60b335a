package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"ldirectord/status"
)

// why tells of a real server what its checks found, and what was done about it.
func why(ctx context.Context, c *call) error {
	found, err := c.askWhy(ctx)
	if err != nil {
		return err
	}
	found.Last(c.lines)
	if c.jsonOut {
		c.printJSON(found)
		return nil
	}
	if !c.verbose {
		found.DropConversations()
	}
	return found.WriteText(c.out)
}

// askWhy asks the running daemon for what it knows of [VIRTUAL] REAL. A server that it does not have is an error,
// with an empty answer.
func (o *options) askWhy(ctx context.Context) (*status.Why, error) {
	asked := o.server()
	if o.found().Pid == 0 {
		return nil, fmt.Errorf("no daemon runs for %s: only a running daemon knows the state of its servers",
			o.path)
	}
	text, err := o.socket().Ask(ctx, "/why?"+asked.Encode())
	if err != nil {
		return nil, cmp.Or(o.perlRuns(), err)
	}
	found := &status.Why{}
	if err := json.Unmarshal(text, found); err != nil {
		return nil, fmt.Errorf("reading the daemon's answer: %w", err)
	}
	if len(found.Servers) == 0 {
		of := ""
		if asked.Has("virtual") {
			of = " in " + asked.Get("virtual")
		}
		return found, fmt.Errorf("%s has no real server %s%s; "+
			"the last word is a real server, as status -v has it",
			o.path, asked.Get("server"), of)
	}
	return found, nil
}

// server are the words [VIRTUAL] REAL, as the daemon is asked.
func (o *options) server() url.Values {
	asked := url.Values{"server": {o.args[len(o.args)-1]}}
	if len(o.args) == 2 {
		asked.Set("virtual", o.args[0])
	}
	return asked
}
