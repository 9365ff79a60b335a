package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"

	"ldirectord/internal/status"
)

// why shows the results of a real server's checks and the actions that followed.
func why(c *call) error {
	found, err := c.askWhy(c.args)
	if err != nil {
		return err
	}
	found.Last(c.Lines)
	if c.JSON {
		c.printJSON(found)
		return nil
	}
	return found.WriteText(c.raw, c.Verbose) // WriteText escapes before it breaks lines
}

// askWhy requests the history of [VIRTUAL] REAL from the running daemon. If the server is unknown, it returns an error
// and an empty answer.
func (c *call) askWhy(server []string) (*status.Why, error) {
	asked := wordsFor(server)
	if err := c.lacksDaemon(unknownStates); err != nil {
		return nil, err
	}
	text, err := c.socket().Ask(c.ctx, "/why?"+asked.Encode())
	if err != nil {
		return nil, cmp.Or(c.perlRuns(), err)
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
			"the last word must be a real server, as status -v shows it",
			c.path, asked.Get("server"), of)
	}
	return found, nil
}

const unknownStates = "only a running daemon knows the state of its servers"

// lacksDaemon returns an error if no daemon is running for the file. The error says what that means.
func (c *call) lacksDaemon(meaning string) error {
	found := c.found()
	if found.Pid != 0 {
		return nil
	}
	return cmp.Or(found.Unseen, c.others(), fmt.Errorf("no daemon is running for %s: %s", c.path, meaning))
}

// wordsFor turns [VIRTUAL] REAL into the arguments of a request.
func wordsFor(server []string) url.Values {
	last := len(server) - 1
	words := url.Values{"server": server[last:]}
	if last == 1 {
		words.Set("virtual", server[0])
	}
	return words
}
