package main

import (
	"fmt"

	"ldirectord/internal/view"
	"ldirectord/parser"
)

// check reads the configuration and prints the findings about it and about this machine.
func check(c *call) error {
	if err := c.loadAndAdvise(); err != nil {
		return err
	}
	isRefused := c.Plan == nil || c.WarningsAreErrors && len(c.Found.Warnings()) > 0
	if c.answer != nil {
		// in the form of the conformance corpus
		c.answer["warnings"], c.answer["diagnostics"] = findings(c.Found.Warnings()), findings(c.Found)
		c.answer["error_kind"], c.answer["error_line"] = nil, nil
		if errors := findings(c.Found.Errors()); len(errors) > 0 {
			e := errors[0]
			c.answer["error"], c.answer["error_kind"], c.answer["error_line"] = e.Text, e.Kind, e.Line
		}
		if c.Config != nil {
			c.answer["config"], c.answer["config_hash"] = c.Config.WithoutSecrets(), c.Config.Sum()
			if c.WithSecrets {
				c.answer["config"] = c.Config
			}
		}
	} else {
		printCheck(c)
	}
	if isRefused {
		return exit{status: exitConfig}
	}
	return nil
}

// screen is the maximum number of lines that check prints without --all, including the summary.
const screen = 20

func printCheck(c *call) {
	found, left := c.Found.ByPosition(), 0
	if !c.All {
		found, left = found.Brief().Within(screen - 2)
	}
	quotes := c.onTerminal() && (c.All || 3*len(found) < screen)
	for _, d := range found {
		line := d.String() + "\n"
		if quotes {
			line = d.Render(c.Text) // with the line of the file
		}
		fmt.Fprint(c.out, line)
	}
	if left > 0 {
		c.tell("%s", c.moreFindings(left))
	}
	summary := countFindings(c.Found)
	if c.Config != nil {
		summary += "; v" + c.Summary()[1:]
	}
	c.tell("%s: %s", c.path, summary)
}

// countFindings returns a text like "no errors, 1 warning".
func countFindings(found parser.Diagnostics) string {
	text := "no errors"
	if n := found.Count(parser.Error); n > 0 {
		text = view.Plural(n, "error")
	}
	if n := found.Count(parser.Warning); n > 0 {
		text += ", " + view.Plural(n, "warning")
	}
	return text
}
