package main

import "ldirectord/parser"

// finding is the JSON form of a diagnostic.
type finding struct {
	Severity string `json:"severity"`
	Kind     string `json:"kind"`
	File     string `json:"file"`
	Line     *int32 `json:"line"`
	Column   *int32 `json:"column"`
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
