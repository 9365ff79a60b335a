package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// output is where a command answers, and says what goes wrong.
type output struct {
	out            *bufio.Writer // the answer of a command, for stdout
	stdout, stderr io.Writer
	answer         map[string]any // with --json; nil without, and where a command has a shape of its own
}

// printJSON answers with a value.
func (o *output) printJSON(value any) {
	e := json.NewEncoder(o.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(value) // o.out remembers an error itself
}

// say prints a line to standard error, after what was answered so far.
func (o *output) say(line string) {
	o.out.Flush() // which remembers an error
	fmt.Fprintln(o.stderr, line)
}

// warn is say in the name of the program.
func (o *output) warn(format string, args ...any) {
	o.say("ldirectord: " + fmt.Sprintf(format, args...))
}

// sayNow prints a line of what happens, with its time.
func (o *output) sayNow(line string) {
	fmt.Fprintf(o.out, "%s %s\n", time.Now().Format(time.DateTime), line)
	o.out.Flush() // which remembers an error
}

// note says something of the whole plan.
func (o *output) note(text string) {
	if o.answer == nil {
		fmt.Fprintln(o.out, "#", text)
		return
	}
	notes, _ := o.answer["notes"].([]string)
	o.answer["notes"] = append(notes, text)
}

// complain prints an error and returns the exit status for it, that for nil included.
func (o *output) complain(err error) int {
	if err != nil && err.Error() != "" {
		o.warn("%v", err)
	}
	return statusFor(err)
}

func statusFor(err error) int {
	if e, ok := errors.AsType[exit](err); ok {
		return e.status
	}
	if err != nil {
		return exitFailure
	}
	return exitOK
}

// conclude answers in the shape of most commands: ok, exit, error, the diagnostics of the file, and what the command
// put in answer.
func (o *output) conclude(err error) {
	if err != nil && err.Error() != "" {
		o.answer["error"] = err.Error()
	}
	status := statusFor(err)
	o.answer["ok"], o.answer["exit"] = status == exitOK, status
	o.printJSON(o.answer)
}
