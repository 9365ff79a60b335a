package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// output takes a command's answer and its errors.
type output struct {
	out            *bufio.Writer // the answer of a command, for stdout
	stdout, stderr io.Writer
	answer         map[string]any // with --json; nil without it, and for commands with a form of their own
}

// printJSON answers with a value.
func (o *output) printJSON(value any) {
	e := json.NewEncoder(o.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(value) // o.out remembers an error itself
}

// say prints a line to standard error, after the answer so far.
func (o *output) say(line string) {
	o.out.Flush() // the writer remembers an error
	fmt.Fprintln(o.stderr, line)
}

// warn is say with the program's name at the beginning of the line.
func (o *output) warn(format string, args ...any) {
	o.say("ldirectord: " + fmt.Sprintf(format, args...))
}

// sayNow prints a line with the current time.
func (o *output) sayNow(line string) {
	fmt.Fprintf(o.out, "%s %s\n", time.Now().Format(time.DateTime), line)
	o.out.Flush() // the writer remembers an error
}

// note prints a remark on the whole plan.
func (o *output) note(text string) {
	if o.answer == nil {
		fmt.Fprintln(o.out, "#", text)
		return
	}
	notes, _ := o.answer["notes"].([]string)
	o.answer["notes"] = append(notes, text)
}

// complain prints an error and returns its exit status; nil is success.
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

// conclude answers in the form of most commands: ok, exit, error, the diagnostics of the file, and the command's own
// answer.
func (o *output) conclude(err error) {
	if err != nil && err.Error() != "" {
		o.answer["error"] = err.Error()
	}
	status := statusFor(err)
	o.answer["ok"], o.answer["exit"] = status == exitOK, status
	o.printJSON(o.answer)
}
