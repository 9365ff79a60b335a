package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ldirectord/director"
)

// drainFile holds the operator's orders which servers get no new connections: a line for each, virtual
// service and real server. It outlives the daemon.
type drainFile string

func (o *options) drainFile() drainFile {
	return drainFile(filepath.Join(o.runDir, "ldirectord."+o.instanceName()+".drain"))
}

// read returns the orders; none when there is no file.
func (f drainFile) read(ctx context.Context) (map[director.Place]bool, error) {
	file, err := openFile(string(f), os.O_RDONLY, 0)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := lock(ctx, file, syscall.LOCK_SH); err != nil {
		return nil, err
	}
	return readPlaces(file)
}

// change lets edit change the orders; nobody else does meanwhile.
func (f drainFile) change(ctx context.Context, edit func(map[director.Place]bool)) error {
	file, err := openFile(string(f), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := lock(ctx, file, syscall.LOCK_EX); err != nil {
		return err
	}
	places, err := readPlaces(file)
	if err != nil {
		return err
	}
	edit(places)
	var lines []string
	for p := range places {
		lines = append(lines, p.Virtual+" "+p.Real+"\n")
	}
	slices.Sort(lines)
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("writing %s: %w", f, err)
	}
	if _, err := file.WriteAt([]byte(strings.Join(lines, "")), 0); err != nil {
		return fmt.Errorf("writing %s: %w", f, err)
	}
	return nil
}

func readPlaces(file *os.File) (map[director.Place]bool, error) {
	text, err := readAll(file, largestState)
	if err != nil {
		return nil, fmt.Errorf("reading the orders to drain: %w", err)
	}
	places := map[director.Place]bool{}
	for line := range strings.Lines(string(text)) {
		if virtual, real, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			places[director.Place{Virtual: virtual, Real: real}] = true
		}
	}
	return places, nil
}

// follow tells the director of the orders, and of each change of them until ctx is done.
func (f drainFile) follow(ctx context.Context, tell func(context.Context, map[director.Place]bool)) {
	followFile(ctx, string(f), func() bool {
		places, err := f.read(ctx)
		if err == nil {
			tell(ctx, places)
		}
		return err == nil
	})
}
