// Command demo shows ldirectord at work on loopback: three small web servers, a fallback server and the daemon. It
// needs no root and installs nothing: connections are relayed according to the table that the daemon keeps in memory.
// With -ipvs kernel (root, a kernel with IPVS) the kernel forwards them instead.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// options say what the demo runs.
type options struct {
	daemon string // path of the ldirectord binary
	config string // path of the example configuration
	ipvs   string // whose table: memory or kernel
	script string // commands to run before those typed, separated by ";"
}

func main() {
	var o options
	flag.StringVar(&o.daemon, "daemon", "./ldirectord", "the ldirectord `binary` to run")
	flag.StringVar(&o.config, "config", "examples/demo.cf", "the `file` to start from")
	flag.StringVar(&o.ipvs, "ipvs", "memory", "whose table: `memory`, or kernel as root")
	flag.StringVar(&o.script, "script", "", "`commands` to run first, parted by semicolons")
	flag.Parse()

	// The daemon is told to end when the thread that started it does (childAttr): keep it.
	runtime.LockOSThread()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	giveBack := ownTerminal()
	err := run(ctx, o, os.Stdin, os.Stdout)
	giveBack()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run plays the demo until ctx ends, "quit" is read, or the daemon ends by itself. The end of in
// ends nothing.
func run(ctx context.Context, o options, in io.Reader, out io.Writer) (err error) {
	switch o.ipvs {
	case "memory":
	case "kernel":
		if err := kernelReady(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("-ipvs is memory or kernel, not %q", o.ipvs)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	s, err := newStage(o, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.introduce()

	ended, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}

	commands := make(chan string)
	go readLines(ctx, io.MultiReader(strings.NewReader(strings.ReplaceAll(o.script, ";", "\n")+"\n"), in), commands)
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("ldirectord ended by itself: %w", cmp.Or(err, errors.New("exit status 0")))
		case line := <-commands:
			if s.do(ctx, line) {
				continue
			}
		case <-ctx.Done():
		}
		s.say("Ending: the daemon takes its entries out of the table and stops.")
		cancel()
		if err := <-ended; err != nil {
			return fmt.Errorf("ldirectord: %w", err)
		}
		return nil
	}
}
