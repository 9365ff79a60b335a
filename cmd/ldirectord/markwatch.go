package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ldirectord/fwmark"
	"ldirectord/notify"
	"ldirectord/parser"
)

// markEvery is how often the daemon looks for rules that are not its own: programs are run for that.
const markEvery = time.Minute

// markTime is for all programs that show who sets marks.
const markTime = 20 * time.Second

// markWatch tells when nothing sets a mark that the file leaves to others, as after a firewall's restart.
type markWatch struct {
	ipvs    string
	journal *notify.Journal
	stop    context.CancelFunc // ends the look for the configuration before; nil: there was none
}

// follow looks after the marks of a configuration until ctx is done, or it is called for another one.
func (w *markWatch) follow(ctx context.Context, cfg *parser.Config) {
	if w.stop != nil {
		w.stop()
	}
	ctx, w.stop = context.WithCancel(ctx)
	left := slices.DeleteFunc(slices.Clone(cfg.Virtuals), func(v parser.Virtual) bool {
		return v.Protocol != parser.FWM || len(v.Marking) > 0
	})
	if len(left) > 0 && w.ipvs == defaultIPVS {
		go w.run(ctx, left)
	}
}

func (w *markWatch) run(ctx context.Context, virtuals []parser.Virtual) {
	unset := map[string]bool{}
	again := time.NewTicker(markEvery)
	defer again.Stop()
	for {
		w.look(ctx, virtuals, unset)
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// look tells what became of the marks since the last time.
func (w *markWatch) look(ctx context.Context, virtuals []parser.Virtual, unset map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, markTime)
	defer cancel()
	m, err := fwmark.Inspect(ctx)
	if err != nil {
		return
	}
	for i := range virtuals {
		v := &virtuals[i]
		was, is := unset[v.ID], m.NothingSets(v.Mark, v.IPv6)
		unset[v.ID] = is
		text := fmt.Sprintf("Nothing sets mark %d on this machine: %s gets no packets", v.Mark, v.ID)
		if !is {
			text = fmt.Sprintf("Mark %d is set again: %s", v.Mark, v.ID)
		}
		if is != was {
			w.journal.Emit(notify.Event{Kind: notify.MarkRules, Virtual: v.ID, Text: text})
		}
	}
}
