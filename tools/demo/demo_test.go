package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const (
	stepTimeout = 20 * time.Second // until the daemon has noticed and acted
	endTimeout  = 15 * time.Second // until all has ended
)

// TestDemo plays the demo with the real daemon. Standard input is closed before Ctrl-C, as a person may do.
func TestDemo(t *testing.T) {
	d := play(t, options{daemon: buildDaemon(t), config: "../../examples/demo.cf", ipvs: "memory"})
	d.answers("web1 6, web2 12, web3 6")
	d.steps()
	d.edit(`(masq) 2`, `$1 6`)
	d.answers("web1 3, web2 18, web3 3")
	d.says("web2 is in service with weight 6")
	d.looks()
	d.edit(`(service = )http`, `${1}htpp`)
	d.says("Nothing changes: the daemon continues with what it had.")
	d.typed.Close()
	d.end()
}

// playing is a running demo, with its input and its output.
type playing struct {
	*testing.T
	typed   *io.PipeWriter
	said    output
	cancel  context.CancelFunc
	ended   chan error
	virtual string
	conf    string
}

func play(t *testing.T, o options) *playing {
	ctx, cancel := context.WithCancel(t.Context())
	in, typed := io.Pipe()
	d := &playing{T: t, typed: typed, cancel: cancel, ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.ended <- run(ctx, o, in, &d.said)
	}()
	t.Cleanup(func() {
		cancel()
		in.Close()
		<-done
		if t.Failed() {
			t.Logf("the demo said:\n%s", d.said.String())
		}
	})
	d.virtual = d.find(`http://(\S+)/ +the virtual service`)
	d.conf = d.find(`The configuration is (\S+)\.\n`)
	return d
}

// steps tries all that the demo suggests, and checks what clients get.
func (d *playing) steps() {
	d.Helper()
	d.typeIn("stop 1")
	d.answers("web2 16, web3 8")
	d.says("web1 failed its check")
	d.typeIn("fail web2")
	d.answers("web3 24")
	d.typeIn("stop all")
	d.answers("fallback server 24")
	d.says("the fallback server answers")
	d.typeIn("fail 2")
	d.says("web2 runs again, and answers 503.")
	d.typeIn("weight 2 2")
	d.says("web2 has weight 2 in the configuration. It gets it when it is up again.")
	d.answers("fallback server 24")
	d.typeIn("start all")
	d.answers("web1 6, web2 12, web3 6")
	d.says("the fallback server leaves")
}

// looks uses the commands that the demo offers.
func (d *playing) looks() {
	d.Helper()
	d.typeIn("check")
	d.says(d.conf + ": no errors")
	d.typeIn("probe")
	d.says("200 OK")
	d.typeIn("why 1")
	d.says(" up since ")
	d.typeIn("drain 1")
	d.says("Drained real server: ")
	d.typeIn("undrain 1")
	d.says("undrained 127.0.0.1")
	d.typeIn("metrics")
	d.says("ldirectord_server_up{")
}

func (d *playing) typeIn(line string) {
	d.Helper()
	testkit.OK(d, testkit.Error(io.WriteString(d.typed, line+"\n")))
}

// answers waits until the servers share requests to the virtual service like this.
func (d *playing) answers(want string) {
	d.Helper()
	var got string
	d.until(func() bool { got = share(d.T, d.virtual); return got == want },
		func() string { return fmt.Sprintf("answers: got %s; want %s", got, want) })
}

// says waits for words in the output.
func (d *playing) says(words string) {
	d.Helper()
	d.find(regexp.QuoteMeta(words))
}

// find waits for a pattern in the output, and returns its last group.
func (d *playing) find(pattern string) string {
	d.Helper()
	var found []string
	d.until(func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(d.said.String())
		return found != nil
	}, func() string { return "never said: " + pattern })
	return found[len(found)-1]
}

// edit changes the configuration as an editor does.
func (d *playing) edit(pattern, replacement string) {
	d.Helper()
	text := testkit.Must(readFile(d.conf))(d)
	testkit.OK(d, replaceFile(d.conf, regexp.MustCompile(pattern).ReplaceAllString(text, replacement)))
}

func (d *playing) until(done func() bool, complaint func() string) {
	d.Helper()
	for deadline := time.Now().Add(stepTimeout); !done(); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-d.ended:
			d.Fatalf("the demo ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			d.Fatal(complaint())
		}
	}
}

// end presses Ctrl-C, and checks that nothing is left.
func (d *playing) end() {
	d.Helper()
	d.cancel()
	select {
	case err := <-d.ended:
		if err != nil {
			d.Error(err)
		}
	case <-time.After(endTimeout):
		d.Fatal("the demo does not end")
	}
	if _, err := os.Stat(filepath.Dir(d.conf)); !os.IsNotExist(err) {
		d.Errorf("the temporary folder is still there: %v", err)
	}
}

// output is a buffer for several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// buildDaemon returns the path of the daemon: the one in LDIRECTORD, or one that it builds.
func buildDaemon(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("LDIRECTORD"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "ldirectord")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/ldirectord")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		first, _, _ := bytes.Cut(out, []byte("\n"))
		t.Skipf("the daemon can't be built: %v: %s", err, first)
	}
	return path
}
