// Command ldirectord-import writes the virtual servers of a keepalived.conf as an ldirectord.cf.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"ldirectord/internal/keepalived"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
)

// version is set at the build.
var version = "unknown"

// The exit statuses.
const (
	exitWhole   = 0
	exitMissing = 1 // a line has no equal
	exitFailed  = 2 // the file can't be read or understood, or the result not be written
)

const usage = `Usage: ldirectord-import [-i ID] [-o FILE] [KEEPALIVED.CONF]

Writes the virtual servers of a keepalived.conf as an ldirectord.cf.

`

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	host, _ := os.Hostname()
	host, _, _ = strings.Cut(host, ".")
	flags := flag.NewFlagSet("ldirectord-import", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	id := flags.String("i", host, "the `ID` that the words after @ are compared with")
	out := flags.String("o", "", "the `FILE` to write, instead of standard output")
	showVersion := flags.Bool("version", false, "print the version")
	if err := flags.Parse(args); err != nil {
		return exitFailed
	}
	if *showVersion {
		fmt.Fprintln(stdout, "ldirectord-import", version)
		return exitWhole
	}
	if flags.NArg() > 1 {
		flags.Usage()
		return exitFailed
	}
	path := "/etc/keepalived/keepalived.conf"
	if flags.NArg() == 1 {
		path = flags.Arg(0)
	}
	missing, err := write(ctx, path, *id, *out, stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "ldirectord-import:", printable.Text(err.Error()))
		return exitFailed
	case missing > 0:
		fmt.Fprintf(stderr, "ldirectord-import: %d lines have no equal; comments in the result name them\n", missing)
		return exitMissing
	default:
		return exitWhole
	}
}

// write converts the file at path, and reports how many lines have no equal.
func write(ctx context.Context, path, id, out string, stdout io.Writer) (missing int, err error) {
	text, missing, err := keepalived.Convert(ctx, path, id)
	if err != nil {
		return 0, err
	}
	if out == "" {
		_, err = io.WriteString(stdout, text)
	} else {
		err = runfile.Replace(out, []byte(text), 0o644)
	}
	if err != nil {
		return 0, fmt.Errorf("writing the result: %w", err)
	}
	return missing, nil
}
