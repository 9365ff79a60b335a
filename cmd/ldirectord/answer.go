package main

import (
	"context"

	"ldirectord/parser"
)

// answered runs a command and answers in the shape of most: ok, exit, error, the diagnostics of the file, and what the
// command puts in c.answer.
func answered(ctx context.Context, c *call) error {
	c.answer = map[string]any{"error": nil}
	err := c.command.run(ctx, c)
	c.conclude(err)
	return err
}

// finding is a diagnostic in the JSON form.
type finding struct {
	Severity string `json:"severity"`
	Kind     string `json:"kind"`
	File     string `json:"file"`
	Line     *int   `json:"line"`
	Column   *int   `json:"column"`
	Text     string `json:"text"`
}

func findings(found parser.Diagnostics) []finding {
	list := make([]finding, len(found))
	for i, d := range found {
		list[i] = finding{Severity: d.Severity.String(), Kind: d.Kind, File: d.Pos.File, Text: d.Text}
		if d.Pos.Line > 0 {
			list[i].Line, list[i].Column = &d.Pos.Line, &d.Pos.Column
		}
	}
	return list
}
