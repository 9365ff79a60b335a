package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// stage is everything the demo sets up around the daemon.
type stage struct {
	options
	log       *log.Logger // one line at a time, from any goroutine
	dir       string      // temporary
	conf      string      // the configuration, in dir
	tableFile string      // where the daemon mirrors its table, in dir; none with the kernel's
	front     net.Listener
	virtual   string // address of the virtual service
	metrics   string // where the daemon serves its metrics
	webs      []*web
	sorry     *web
	table     func() (string, error) // in the lines of `ipvsadm -Sn`
	relaying  sync.WaitGroup
	cut       context.CancelFunc // ends the relayed connections; nil before there is a relay
}

// newStage starts the servers, writes the configuration with their addresses, and starts the relay.
func newStage(o options, out io.Writer) (*stage, error) {
	conf, err := readFile(o.config)
	if err != nil {
		return nil, err
	}
	p, err := findPlaces(conf)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.config, err)
	}
	s := &stage{options: o, log: log.New(out, "", 0)}
	if err := s.setUp(conf, p); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stage) setUp(conf string, p places) error {
	moved, err := s.open(p)
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "ldirectord-demo-"); err != nil {
		return err
	}
	s.conf = filepath.Join(s.dir, "demo.cf")
	if err := os.WriteFile(s.conf, []byte(moveTo(conf, moved)), 0o600); err != nil {
		return err
	}
	s.connect()
	return nil
}

// open opens every address and tells where those that the configuration names really are.
func (s *stage) open(p places) (moved map[string]string, err error) {
	// The virtual service comes first: its port is the one people type.
	if s.front, err = listen(p.virtual); err != nil {
		return nil, err
	}
	s.virtual = s.front.Addr().String()
	moved = map[string]string{p.virtual.String(): s.virtual}
	for i, addr := range p.reals {
		name := fmt.Sprintf("web%d", i+1)
		w, err := openWeb(name, addr, 200, "Hello from "+name+".")
		if err != nil {
			return nil, err
		}
		s.webs = append(s.webs, w)
		moved[addr.String()] = w.addr
	}
	s.sorry, err = openWeb("fallback server", p.fallback, 503, "Sorry: all our web servers are down.")
	if err != nil {
		return nil, err
	}
	moved[p.fallback.String()] = s.sorry.addr
	l, err := listen(p.listen)
	if err != nil {
		return nil, err
	}
	s.metrics = l.Addr().String()
	moved[p.listen.String()] = s.metrics
	return moved, l.Close() // it is the daemon's from now on
}

// connect lets the connections to the virtual service through, by the relay or by the kernel.
func (s *stage) connect() {
	if s.inKernel() {
		// The kernel takes them before a listener would; the port was only held until now.
		s.front.Close()
		s.table = func() (string, error) { return kernelTable(s.virtual) }
		return
	}
	s.tableFile = filepath.Join(s.dir, "table")
	s.table = func() (string, error) { return readTable(s.tableFile) }
	r := &relay{virtual: s.virtual, table: s.table, turns: make(map[string]int)}
	ctx, cut := context.WithCancel(context.Background())
	s.cut = cut
	s.relaying.Go(func() { r.serve(ctx, s.front) })
}

// close ends the relay and the servers, and removes the temporary folder.
func (s *stage) close() error {
	if s.front != nil {
		s.front.Close()
	}
	for _, w := range s.webs {
		w.stop()
	}
	if s.sorry != nil {
		s.sorry.stop()
	}
	if s.cut != nil {
		s.cut()
		s.relaying.Wait()
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// inKernel reports whether the kernel forwards, and not the relay.
func (s *stage) inKernel() bool { return s.ipvs == "kernel" }

func (s *stage) say(format string, args ...any) { s.log.Printf(format, args...) }

// showLog shows a line of the daemon's log, and what it means.
func (s *stage) showLog(line string) {
	s.say("ldirectord: %s", line)
	if meaning := s.explain(line); meaning != "" {
		s.say("    -> %s", meaning)
	}
}

// readTable reads the daemon's mirror; before its first change there is none.
func readTable(path string) (string, error) {
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return text, err
}
