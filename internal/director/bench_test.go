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

// many is a configuration of n servers, four in each virtual service.
func many(n, port, interval int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "checkinterval = %d\nnegotiatetimeout = 3\n", interval)
	for i := range n {
		if i%4 == 0 {
			fmt.Fprintf(&b, "virtual = 10.%d.%d.1:80\n\tservice = http\n\treceive = \"OK\"\n", i/4/250,
				i/4%250)
		}
		fmt.Fprintf(&b, "\treal = 127.1.%d.%d:%d masq\n", i/250, i%250+1, port)
	}
	return b.String()
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

// BenchmarkCycle checks real servers on loopback for a while. It measures processor time and memory of a whole
// director with a table in memory.
func BenchmarkCycle(b *testing.B) {
	for _, c := range []struct{ servers, interval int }{{1000, 1}, {10000, 5}} {
		b.Run(fmt.Sprintf("%d@%ds", c.servers, c.interval), func(b *testing.B) {
			p := planOf(b, many(c.servers, startServer(b), c.interval))
			j := notify.NewJournal()
			d := New(Deps{Table: ipvsctl.NewMemory(nil),
				World: core.World{
					Tell: []core.Receiver{core.Words(j.Emit),
						core.Commands(notify.NewHooks(j).Run)}}})
			ctx, end := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- d.Run(ctx, p) }()
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
			end()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}

func startServer(b *testing.B) (port int) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_SERVER=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	if _, err := fmt.Fscan(out, &port); err != nil {
		b.Fatal(err)
	}
	return port
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReload reloads the same configuration, with 2,500 virtual services of four servers each and a table in
// memory. It measures the processor time of the reloads.
func BenchmarkReload(b *testing.B) {
	j := notify.NewJournal()
	d := New(Deps{Table: ipvsctl.NewMemory(nil),
		World: core.World{Tell: []core.Receiver{core.Words(j.Emit), core.Commands(notify.NewHooks(j).Run)}}})
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	text := strings.ReplaceAll(many(10000, 80, 3600), "\treceive", "\tchecktype = on\n\treceive")
	p := planOf(b, text)
	go func() { ended <- d.Run(ctx, p) }()
	<-d.Settled()
	before := cpuTime()
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Reload(ctx, planOf(b, text)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms")
	end()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// BenchmarkTenThousandLeave replaces all servers of a virtual service by another one, puts them back while they drain,
// and replaces them again until they are gone from the table.
func BenchmarkTenThousandLeave(b *testing.B) {
	j := notify.NewJournal()
	table := ipvsctl.NewMemory(nil)
	d := New(Deps{Table: table, World: core.World{
		Tell: []core.Receiver{core.Words(j.Emit), core.Commands(notify.NewHooks(j).Run)}}})
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	file := func(real string) *plan.Plan {
		return planOf(b, "checkinterval = 3600\ndraintime = 60\nvirtual = 10.0.0.1:80\n\tchecktype = on\n"+
			"\treal = "+real+" masq\n")
	}
	go func() { ended <- d.Run(ctx, file("10.1.0.0->10.1.39.15:80")) }()
	<-d.Settled()
	var took time.Duration
	for b.Loop() {
		all, one := "10.1.0.0->10.1.39.15:80", "10.2.0.1:80"
		for _, p := range []*plan.Plan{file(one), file(all), file(one)} {
			before := cpuTime()
			if err := d.Reload(ctx, p); err != nil {
				b.Fatal(err)
			}
			took += cpuTime() - before
		}
		before := cpuTime()
		for left := 0; left != 1; time.Sleep(100 * time.Millisecond) {
			have, err := table.Read(ctx)
			if err != nil {
				b.Fatal(err)
			}
			for _, s := range have {
				left = len(s.Dests)
			}
		}
		took += cpuTime() - before
		if err := d.Reload(ctx, file(all)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "cpu-ms")
	end()
	if err := <-ended; err != nil {
		b.Error(err)
	}
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
	j := notify.NewJournal()
	d := New(Deps{Table: ipvsctl.NewMemory(nil),
		World: core.World{Tell: []core.Receiver{core.Words(j.Emit), core.Commands(notify.NewHooks(j).Run)}}})
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	tasks := p.Tasks
	go func() { ended <- d.Run(ctx, p) }()
	<-d.Started()
	bring := func(r checker.Result) {
		for i := 0; i < len(tasks); i += len(tasks) / 100 {
			err := d.asked.submit(ctx, func(done chan<- struct{}) {
				var updates []schedule.Update
				for _, t := range tasks[i : i+len(tasks)/100] {
					updates = append(updates,
						schedule.Update{Task: t, Result: r, Began: time.Now()})
				}
				d.core.Results(time.Now(), updates)
				close(done)
			})
			if err != nil {
				b.Fatal(err)
			}
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
	end()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
