package daemon

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/mail"
	"ldirectord/internal/notify/webhook"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// channels report events to the log, to monitorfiles, to commands, to a webhook and by mail. This file opens,
// configures and closes them.
type channels struct {
	journal *notify.Journal
	mailer  *mail.Mailer
	monitor *notify.Monitor
	hooks   *notify.Hooks
	webhook *webhook.Poster
}

// openChannels opens the channels, and returns the receivers for the director.
func (d *daemon) openChannels() []core.Receiver {
	d.mailer = mail.New(func(e notify.Event) { d.journal.Emit(e) })
	d.journal = notify.NewJournal(d.log.Notify, d.mailer.Notify, d.tally.Notify, d.tellStarter)
	d.monitor = notify.NewMonitor(d.journal.Emit)
	d.hooks = notify.NewHooks(d.journal)
	d.webhook = webhook.New(d.journal.Emit)
	d.setChannels(d.Loaded.Plan)
	return []core.Receiver{
		core.Words(d.journal.Emit), core.Results(d.monitor.Record),
		core.Posts(d.webhook.Post), core.Commands(d.hooks.Run), core.Reminders(d.mailer.Down),
	}
}

// setChannels sets the mail addresses and the webhook of a plan.
func (d *daemon) setChannels(p *plan.Plan) {
	d.mailer.Set(mailRules(p, Again(d.Args, d.Instance.Path)))
	d.webhook.Set(p.Config.Global.Webhook)
}

// forget drops the recorded failures of commands and monitorfiles that the plan in force no longer contains. It
// keeps those of the argument hooks: the commands for siblings, the daemons that execute= lines name.
func (c *channels) forget(p *plan.Plan, hooks []notify.Hook) {
	files := []string{}
	hooks = append(hooks, notify.Callback(p.Config.Global.Callback, ""))
	for _, s := range p.Services {
		v := s.Config
		hooks = append(hooks, notify.FallbackCommand(v.FallbackCommand, s.Key(), ""),
			notify.OnChange(v.OnChange, v.ID, notify.Report{}))
		files = append(files, v.MonitorFile)
	}
	c.hooks.Set(hooks)
	c.monitor.Set(files)
}

// say records an event.
func (c *channels) say(kind notify.Kind, format string, args ...any) {
	var e notify.Event
	e.Say(kind, format, args...)
	c.journal.Emit(e)
}

// sayFound records the diagnostics of a configuration, except warnings that were said before.
func (c *channels) sayFound(all parser.Diagnostics, said map[string]bool) {
	for _, d := range all.ForLog() {
		kind, text := notify.ConfigWarning, Message(d)
		if d.Severity == parser.Error {
			kind = notify.ConfigError
		} else if said[text] {
			continue
		}
		c.say(kind, "%s", text)
	}
}

// refused records the reason why a configuration was refused.
func (c *channels) refused(why string) {
	c.say(notify.ConfigError, "Error [%d]: %s", os.Getpid(), why)
}

// failed records an error of the daemon itself, if there is one.
func (c *channels) failed(kind notify.Kind, what string, err error) {
	if err != nil {
		c.journal.Emit(notify.Event{Kind: kind, Key: what, Text: fmt.Sprintf("%s: %v", what, err),
			Reason: err.Error()})
	}
}

// settled reports the error of a task that is repeated. If err is nil, an earlier failure is over.
func (d *daemon) settled(kind notify.Kind, what string, err error) {
	if err == nil {
		d.tally.over(kind, what)
	}
	d.failed(kind, what, err)
}

// commandsEnd returns how long a daemon that is ending waits for its commands. At a handover the time is shorter,
// because nobody checks the servers until the next daemon starts. That daemon runs the commands again.
func commandsEnd(by endedBy) time.Duration {
	if by == handedOver {
		return closeTimeout
	}
	return hooksTimeout
}

// closeChannels waits until pending reports are sent and commands have exited, within the time limits of a shutdown.
// The mailer is closed after the journal, from which it gets events.
func (d *daemon) closeChannels(by endedBy, cause error) {
	begun := cmp.Or(d.ending, time.Now())
	hooksCtx, cancel := context.WithDeadline(context.Background(), begun.Add(commandsEnd(by)))
	defer cancel()
	posting, cancel := context.WithTimeout(hooksCtx, closeTimeout) // while commands run
	defer cancel()
	d.failed(notify.PostFailed, "End", d.webhook.Close(posting))
	d.hooks.Close(hooksCtx)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	d.failed(notify.MonitorFailed, "Monitorfile", d.monitor.Close(ctx))
	late := d.journal.Close(ctx)
	ctx, cancel = context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	unsent, said := d.mailer.Close(ctx), make(chan struct{})
	go func() {
		defer close(said)
		if late != nil && cause == nil {
			fmt.Fprintf(d.Stderr, "ldirectord: %v\n", late)
		}
		if unsent != nil { // the journal is closed: straight to the log
			d.log.Notify(notify.Event{Time: time.Now(), Kind: notify.MailFailed,
				Text: fmt.Sprintf("Mail was not sent: %v", unsent)})
		}
	}()
	select {
	case <-said:
	case <-time.After(time.Second): // standard error or the log may be a pipe that nobody reads
	}
}
