package director

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/internal/core"
	"ldirectord/internal/notify"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// With BENCH_SERVER the test binary is the web server of BenchmarkCycle, whose processor time must not count.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_SERVER") != "" {
		serve()
		return
	}
	time.Local = time.UTC // scenarios show when orders end
	os.Exit(m.Run())
}

// serve answers each connection to any address of 127.0.0.0/8 with one small page, until its standard input ends.
func serve() {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go func() { io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nOK\n")
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 2048)
			c.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Read(buf); err == nil {
				c.Write(answer)
			}
		}()
	}
}

func planOf(t testing.TB, text string) *plan.Plan {
	t.Helper()
	env := &protocol.Env{}
	return planChecked(t, text, func(s checker.Spec) (checker.Checker, error) { return protocol.New(s, env) })
}

// planChecked is the plan of a configuration, with the checks that the test makes.
func planChecked(t testing.TB, text string, check func(checker.Spec) (checker.Checker, error)) *plan.Plan {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "test", []byte(text), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	p, found := plan.New(cfg, check)
	if found.HasErrors() {
		t.Fatal(found)
	}
	return p
}

// running is a director at work, with its table in memory. It ends with the benchmark.
func running(b *testing.B, p *plan.Plan) (*Director, *ipvsctl.Memory) {
	j, table := notify.NewJournal(), ipvsctl.NewMemory(nil)
	d := New(Deps{Table: table,
		World: core.World{Tell: []core.Receiver{core.Words(j.Emit), core.Commands(notify.NewHooks(j).Run)}}})
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, p) }()
	b.Cleanup(func() {
		end()
		testkit.OK(b, <-ended)
	})
	return d, table
}

// BenchmarkCycle checks real servers on loopback for a while. It measures processor time and memory of a whole
// director with a table in memory.
func BenchmarkCycle(b *testing.B) {
	for _, c := range []struct{ servers, interval int }{{1000, 1}, {10000, 5}} {
		b.Run(fmt.Sprintf("%d@%ds", c.servers, c.interval), func(b *testing.B) {
			d, _ := running(b, planOf(b, testkit.ManyServers(c.servers, startServer(b), c.interval)))
			<-d.Settled()
			runtime.GC()
			const window = 5 * time.Second
			for b.Loop() {
				before := cpuTime()
				time.Sleep(window)
				checks := float64(c.servers) * window.Seconds() / float64(c.interval)
				b.ReportMetric((cpuTime()-before).Seconds()*1e6/checks, "cpu-ms/1000checks")
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapSys-m.HeapReleased+m.StackSys)/(1<<20), "MiB")
		})
	}
}

func startServer(b *testing.B) (port int) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_SERVER=1")
	in, out := testkit.Must(cmd.StdinPipe())(b), testkit.Must(cmd.StdoutPipe())(b)
	testkit.OK(b, cmd.Start())
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	testkit.Must(fmt.Fscan(out, &port))(b)
	return port
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReload reloads the same configuration, with 2,500 virtual services of four servers each and a table in
// memory. It measures the processor time of the reloads.
func BenchmarkReload(b *testing.B) {
	text := strings.ReplaceAll(testkit.ManyServers(10000, 80, 3600), "\treceive", "\tchecktype = on\n\treceive")
	d, _ := running(b, planOf(b, text))
	<-d.Settled()
	before := cpuTime()
	b.ReportAllocs()
	for b.Loop() {
		testkit.OK(b, d.Reload(b.Context(), planOf(b, text)))
	}
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms")
}

// BenchmarkTenThousandLeave replaces all servers of a virtual service by another one, puts them back while they drain,
// and replaces them again until they are gone from the table.
func BenchmarkTenThousandLeave(b *testing.B) {
	file := func(real string) *plan.Plan {
		return planOf(b, "checkinterval = 3600\ndraintime = 60\nvirtual = 10.0.0.1:80\n\tchecktype = on\n"+
			"\treal = "+real+" masq\n")
	}
	const all, one = "10.1.0.0->10.1.39.15:80", "10.2.0.1:80"
	d, table := running(b, file(all))
	<-d.Settled()
	var took time.Duration
	for b.Loop() {
		for _, p := range []*plan.Plan{file(one), file(all), file(one)} {
			before := cpuTime()
			testkit.OK(b, d.Reload(b.Context(), p))
			took += cpuTime() - before
		}
		before := cpuTime()
		for left := 0; left != 1; time.Sleep(100 * time.Millisecond) {
			for _, s := range testkit.Must(table.Read(b.Context()))(b) {
				left = len(s.Dests)
			}
		}
		took += cpuTime() - before
		testkit.OK(b, d.Reload(b.Context(), file(all)))
	}
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "cpu-ms")
}

// silent is a check that has no result until it is cancelled.
type silent struct{}

func (silent) Check(ctx context.Context) checker.Result {
	<-ctx.Done()
	return checker.Result{Cause: checker.Shortage}
}

// BenchmarkBrake10k: 10,000 servers of a section fail through the virtual address alone, in a hundred wake-ups. Then
// all pass.
func BenchmarkBrake10k(b *testing.B) {
	const file = "checkinterval = 3600\nvirtual = 10.0.0.1:80\n\tchecktype = connect\n\tcheckvip = yes\n" +
		"\treal = 10.1.0.0->10.1.39.15:80 gate\n"
	p := planChecked(b, file, func(checker.Spec) (checker.Checker, error) { return silent{}, nil })
	d, _ := running(b, p)
	tasks := p.Tasks
	<-d.Started()
	bring := func(r checker.Result) {
		for i := 0; i < len(tasks); i += len(tasks) / 100 {
			testkit.OK(b, d.asked.submit(b.Context(), func(done chan<- struct{}) {
				var updates []schedule.Update
				for _, t := range tasks[i : i+len(tasks)/100] {
					updates = append(updates,
						schedule.Update{Task: t, Result: r, Began: time.Now()})
				}
				d.core.Results(time.Now(), updates)
				close(done)
			}))
		}
	}
	pass := checker.Result{OK: true, Way: checker.WayThrough}
	bring(pass)
	var took time.Duration
	for b.Loop() {
		before := cpuTime()
		bring(checker.Result{OwnAnswers: true, Way: checker.WayThrough, Detail: "no answer in 5s"})
		bring(pass)
		took += cpuTime() - before
	}
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "cpu-ms")
}
