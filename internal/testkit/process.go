package testkit

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Program returns the path of a program that a test needs. If it is not installed, the test is skipped, or fails with
// REAL_TESTS=required.
func Program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	if os.Getenv("REAL_TESTS") == "required" {
		t.Fatalf("%s is not installed: it is in the package %s", name, debianPackage)
	}
	t.Skipf("%s is not installed: it is in the package %s", name, debianPackage)
	return ""
}

// Run runs a program, which must succeed, and returns what it prints.
func Run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	OK(t, err, cmd.Args, string(out))
	return string(out)
}

// Again plays the test again in another process: the program name starts it with these arguments, and with one more
// variable in its environment. It skips the test if that program can't start processes here.
func Again(t testing.TB, variable, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, append(args, "true")...).CombinedOutput(); err != nil {
		t.Skipf("%s %q can't run here: %v: %s", name, args, err, out)
	}
	self := Must(os.Executable())(t)
	cmd := exec.Command(name, append(args, self, "-test.run=^"+t.Name()+"$", "-test.v")...)
	cmd.Env = append(os.Environ(), variable)
	t.Log(Run(t, cmd))
}

// Leaks fails the test if goroutines or descriptors are left at its end. It must be called first, so that its cleanup
// runs last.
func Leaks(t testing.TB) {
	t.Helper()
	before, files := len(Goroutines()), Descriptors()
	t.Cleanup(func() {
		end := time.Now().Add(patience)
		for len(Goroutines()) > before || Descriptors() > files {
			if time.Now().After(end) {
				t.Fatalf("%d files, were %d; goroutines, were %d:\n%s",
					Descriptors(), files, before, strings.Join(Goroutines(), "\n\n"))
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// Goroutines returns the stacks of all goroutines except the clock of the pattern engine, which runs for a second
// after a match.
func Goroutines() []string {
	stacks := make([]byte, 1<<20)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool { return strings.Contains(stack, "regexp2/v2.runClock") })
}

// InUse is how many bytes of memory are in use.
func InUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Taken returns how many bytes of memory all goroutines allocate while do runs.
func Taken(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Descriptors is the number of files that this process has open.
func Descriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return len(names)
}

// WithoutDescriptors calls do while this process can open no file.
func WithoutDescriptors(t testing.TB, do func()) {
	t.Helper()
	WithDescriptors(t, 0, do)
}

// WithDescriptors calls do while most is the limit of descriptors. The former limit is restored even if do ends the
// test.
func WithDescriptors(t testing.TB, most uint64, do func()) {
	t.Helper()
	var limit syscall.Rlimit
	OK(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	defer func() { OK(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	OK(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: limit.Max}))
	do()
}

// Within is a context that ends after a time, or with the test.
func Within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// Ended is a context that has ended.
func Ended(t testing.TB) context.Context {
	ctx, end := context.WithCancel(t.Context())
	end()
	return ctx
}

// Until waits until so returns true, or ends the test after limit. The words say what it waited for; those that are
// functions are called when the test ends.
func Until(t testing.TB, limit time.Duration, so func() bool, words ...any) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().Before(end) {
			continue
		}
		for i, word := range words {
			if ask, is := word.(func() string); is {
				words[i] = ask()
			}
		}
		t.Fatal(append([]any{"after", limit}, words...)...)
	}
}
