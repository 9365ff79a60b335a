package director

import (
	"cmp"
	"strings"
)

// fillOld fills in the fields that JSON and metrics had before there were conditions. No other file compares kinds.
func (now *ServerSnapshot) fillOld() {
	var notes []string
	for _, c := range now.Conditions {
		switch c.Kind {
		case "down", "unknown", "maintenance", "no address":
			now.Reason = c.Text
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
		case "pace", "holddown", "observe":
			now.WaitsFor = c.Kind
		case "full":
			now.Full = true
		case "brake":
			now.Braked = true
		}
		notes = append(notes, c.Text)
	}
	now.Note = strings.Join(notes, "; ")
}

// Learn makes conditions of the fields of a daemon that tells none.
func (now *ServerSnapshot) Learn() {
	if now.Conditions != nil {
		return
	}
	add := func(trouble Trouble, holds bool, text string) {
		if holds {
			now.Conditions = append(now.Conditions, Condition{"former", trouble, text})
		}
	}
	add(Broken, now.State == "down", now.Reason)
	add(Doubt, now.State == "unknown", now.Reason)
	add(Noted, now.State == "maintenance" || now.State == "drained", now.Reason)
	if now.State == "up" && now.Check != nil {
		add(Doubt, now.Check.Warning != "", "warning: "+now.Check.Warning)
		add(Doubt, !now.Check.OK, "last check: "+now.Check.Detail)
	}
	add(Doubt, now.Suspected+now.WaitsFor != "" || now.Full, "")
	add(Noted, now.Note != "" && now.Note != now.Reason, now.Note)
	add(Fine, now.Parts != "", now.Parts)
	add(Doubt, now.Unjudged != "", "its state is kept: "+now.Unjudged)
	add(ByHand.Trouble, now.ByHand, ByHand.Text)
}
