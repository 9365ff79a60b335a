package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ldirectord/internal/testkit"
)

// routing is a BGP daemon, with the files of examples/bgp.
type routing string

const (
	bird routing = "bird"
	frr  routing = "frr"
)

// text is the configuration of the BGP daemon, for a director or the router.
func (r routing) text(l *lab, ns string) string {
	l.t.Helper()
	kind := "director"
	if ns == "router" {
		kind = "router"
	}
	text := testkit.Read(l.t, fmt.Sprintf("../../examples/bgp/%s-%s.conf", r, kind))
	if kind == "router" {
		return text
	}
	number := l.prefix[len(l.prefix)-2 : len(l.prefix)-1]
	return strings.NewReplacer("router id 10.0.0.1;", "router id 10.0.0."+number+";", "router-id 10.0.0.1\n",
		"router-id 10.0.0."+number+"\n").Replace(text)
}

// routes starts a BGP daemon in a namespace for the time of the test.
func (f *fleet) routes(l *lab, ns string, r routing) {
	f.t.Helper()
	if r == bird {
		config := filepath.Join(l.dir, "bird-"+ns+".conf")
		f.write(config, r.text(l, ns))
		f.runs(l, ns, "bird", "-f", "-c", config, "-s", filepath.Join(l.dir, "bird-"+ns+".ctl"))
		return
	}
	name := l.prefix + ns
	dir := filepath.Join("/run/frr", name)
	f.sh("mkdir -p -m 755 /run/frr/%[1]s /var/log/frr && chown frr:frr /run/frr /run/frr/%[1]s /var/log/frr", name)
	f.t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "frr.conf")
	f.write(config, r.text(l, ns))
	if owner, err := user.Lookup("frr"); err == nil {
		uid, _ := strconv.Atoi(owner.Uid)
		os.Chown(config, uid, -1)
	}
	for _, program := range []string{"zebra", "bfdd", "bgpd"} {
		f.runs(l, ns, "/usr/lib/frr/"+program, "-N", name, "-f", config, "-i",
			filepath.Join(dir, program+".pid"))
		f.await(10*time.Second, program+" in "+name, func() bool {
			_, err := os.Stat(filepath.Join(dir, program+".vty"))
			return err == nil
		})
	}
}

// runs starts a program in a namespace for the time of the test.
func (f *fleet) runs(l *lab, ns string, argv ...string) {
	f.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", l.prefix + ns}, argv...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	testkit.OK(f.t, cmd.Start())
	f.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if f.t.Failed() && said.Len() > 0 {
			f.t.Logf("%s in %s: %s", argv[0], l.prefix+ns, said.String())
		}
	})
}

func (f *fleet) write(path, text string) {
	f.t.Helper()
	testkit.OK(f.t, os.WriteFile(path, []byte(text), 0o644))
}
