package view

import (
	"cmp"
	"slices"
	"strings"

	"ldirectord/internal/judge"
)

// FillOld fills in the separate fields that JSON, metrics and doctor use for some kinds of conditions. Only this file
// depends on particular kinds.
func (now *Server) FillOld() {
	var notes, differs []string
	for _, c := range now.Conditions {
		switch c.Kind {
		case "down", "unknown", "maintenance", "no address":
			now.Reason = strings.TrimPrefix(c.Text, NoResult)
			continue
		case "weight":
			now.Parts = c.Text
			continue
		case "unjudged":
			now.Unjudged = strings.TrimPrefix(c.Text, "its state is kept: ")
			continue
		case "by hand":
			now.ByHand = true
			continue
		case "warning", "failing", "drained":
			continue
		case "order", "reports":
			if now.State == "maintenance" {
				now.Reason = cmp.Or(now.Reason, c.Text)
			}
		case "suspected":
			now.Suspected = strings.TrimPrefix(c.Text, "suspected: ")
		case "pace", "holddown", "comeback", "observe":
			now.WaitsFor = c.Kind
		case "backup":
			now.Backup, _, _ = strings.Cut(strings.TrimPrefix(c.Text, "backup, "), ":")
		case "full":
			now.Full = true
		case "brake":
			now.Withheld = true
		case "certificate", "version", "slow", "share":
			differs = append(differs, c.Text)
		}
		notes = append(notes, c.Text)
	}
	now.Note, now.Differs = strings.Join(notes, "; "), strings.Join(differs, "; ")
}

// Learn makes a condition from the other fields if the daemon reported none, perhaps because it has an older version.
func (now *Server) Learn() {
	if now.Conditions != nil {
		return
	}
	text := []string{now.Reason, now.Note, now.Unjudged}
	if now.State == "up" && now.Check != nil {
		text = append(text, After("warning: ", now.Check.Warning))
	}
	text = slices.Compact(slices.DeleteFunc(text, func(s string) bool { return s == "" }))
	one := Condition{"former", judge.Fine, strings.Join(text, "; ")}
	switch {
	case now.State == "down":
		one.Trouble = judge.Broken
	case now.State == "maintenance" || now.State == "drained":
		one.Trouble = judge.Noted
	case now.State == "unknown" || one.Text != "":
		one.Trouble = judge.Doubt
	default:
		return
	}
	now.Conditions = []Condition{one}
}
