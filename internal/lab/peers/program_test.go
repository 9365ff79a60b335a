package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

const port = 8080

// program is one of those that are compared.
type program struct {
	name string
	// command checks the servers of a row in the foreground; nil where it can't. Its files are in a folder.
	command func(t *testing.T, r row, folder string) *exec.Cmd
	// failed is what it prints when a check fails.
	failed *regexp.Regexp
}

var programs = []program{
	{"ldirectord", ldirectord, regexp.MustCompile(`(?m)^.*Check failed.*$`)},
	{"keepalived", keepalived, regexp.MustCompile(`(?m)^.*(Removing service|failed).*$`)},
	{"limit", limit, regexp.MustCompile(`(?m)^.* [1-9]\d* bad.*$`)},
}

// server is the address of one: limit.c has the same.
func server(i int) string {
	return fmt.Sprintf("127.%d.%d.%d", 1+i/62500, i/250%250, i%250+1)
}

// perService is how many servers a virtual service has.
const perService = 4

func virtual(i int) string { return fmt.Sprintf("10.%d.%d.%d", i/62500, i/250%250, i%250+1) }

func ldirectord(t *testing.T, r row, folder string) *exec.Cmd { return watching(t, r, folder, "") }

// watching is ldirectord with a global watch, which may be "".
func watching(t *testing.T, r row, folder, watch string) *exec.Cmd {
	const page = "\n\tchecktype = negotiate\n\trequest = \"/status\"\n\treceive = \"is OK\""
	check := map[string]string{
		"http":    "service = http" + page,
		"https":   "service = https" + page,
		"resumed": "service = https" + page,
		"tcp":     "checktype = connect",
		watched:   "checktype = connect",
		"ping":    "checktype = ping\n\tcheckcount = 1",
	}[r.kind]
	var text strings.Builder
	fmt.Fprintf(&text, "checkinterval = %d\nchecktimeout = 3\nnegotiatetimeout = 3\nautoreload = no\n"+
		"supervised = yes\nlogfile = %q\n",
		int(r.every.Seconds()), folder+"/log")
	if watch != "" {
		fmt.Fprintf(&text, "watch = %s\n", watch)
	}
	for i := range r.servers {
		if i%perService == 0 {
			fmt.Fprintf(&text, "virtual = %s:80\n\tprotocol = tcp\n\tscheduler = rr\n\t%s\n",
				virtual(i/perService), check)
		}
		fmt.Fprintf(&text, "\treal = %s:%d masq\n", server(i), port)
	}
	file := write(t, folder, "ldirectord.cf", text.String())
	return exec.Command(os.Getenv("LDIRECTORD"), "--ipvs", "memory", file, "start")
}

func keepalived(t *testing.T, r row, folder string) *exec.Cmd {
	page := "\t\t\turl {\n\t\t\t\tpath /status\n\t\t\t\tstatus_code 200\n\t\t\t\tregex \"is OK\"\n\t\t\t}\n"
	check := map[string][2]string{
		"http": {"HTTP_GET", page}, "https": {"SSL_GET", page}, "resumed": {"SSL_GET", page},
		"tcp": {"TCP_CHECK", ""}, "ping": {"PING_CHECK", ""},
	}[r.kind]
	var text strings.Builder
	for i := range r.servers {
		if i%perService == 0 {
			fmt.Fprintf(&text,
				"virtual_server %s 80 {\n\tdelay_loop %d\n\tlvs_sched rr\n\tlvs_method NAT\n"+
					"\tprotocol TCP\n",
				virtual(i/perService), int(r.every.Seconds()))
		}
		fmt.Fprintf(&text, "\treal_server %s %d {\n\t\t%s {\n%s\t\t\tconnect_timeout 3\n\t\t\tretry 0\n"+
			"\t\t}\n\t}\n", server(i), port, check[0], check[1])
		if i%perService == perService-1 || i == r.servers-1 {
			text.WriteString("}\n")
		}
	}
	file := write(t, folder, "keepalived.conf", text.String())
	cmd := exec.Command("keepalived", "--check", "--dont-fork", "--log-console",
		"--pid", folder+"/pid", "--checkers_pid", folder+"/checkers", "--use-file", file)
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+tool("noipvs.so"))
	return cmd
}

func limit(_ *testing.T, r row, _ string) *exec.Cmd {
	if r.kind == "https" || r.kind == "resumed" {
		return nil // it has no TLS
	}
	return exec.Command(tool("limit"), r.kind, fmt.Sprint(r.servers), fmt.Sprint(r.every.Milliseconds()),
		fmt.Sprint(port))
}

// tool is the path of what the script has built.
func tool(name string) string { return filepath.Join(os.Getenv("PEERS_TOOLS"), name) }

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	testkit.Write(t, path, text)
	return path
}
