package testkit

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// reports keeps what a test would report.
type reports struct {
	testing.TB
	all []string
}

func (r *reports) Helper()           {}
func (r *reports) Error(args ...any) { r.all = append(r.all, fmt.Sprintln(args...)) }
func (r *reports) Fatal(args ...any) { r.Error(args...) }

func TestWhatTheKitReports(t *testing.T) {
	for want, does := range map[string]func(testing.TB){
		"": func(t testing.TB) {
			OK(t, nil)
			Equal(t, 1, 1)
			FailsWith(t,
				fs.ErrExist, "exist")
		},
		"opening x file does not exist\n":      func(t testing.TB) { OK(t, fs.ErrNotExist, "opening", "x") },
		"x file does not exist\n":              func(t testing.TB) { Must(1, fs.ErrNotExist)(t, "x") },
		"[false]  exit status 1\n":             func(t testing.TB) { Run(t, exec.Command("false")) },
		"no file matches /none/*\n":            func(t testing.TB) { Files(t, "/none/*") },
		"got file already exists want <nil>\n": func(t testing.TB) { OKOr(t, fs.ErrExist, "") },
		"got the error <nil> want gone\n":      func(t testing.TB) { OKOr(t, nil, "gone") },
		"x got the error file already exists want file does not exist\n": func(t testing.TB) {
			Is(t, fs.ErrExist, fs.ErrNotExist, "x")
		},
		"got 1 want 2\n":                  func(t testing.TB) { Equal(t, 1, 2) },
		"the log got \"a\" want \n1\n2\n": func(t testing.TB) { Equal(t, "a", "1\n2", "the log") },
		"names got [\"a b\"] want [\"a\" \"b\"]\n": func(t testing.TB) {
			Same(t, []string{"a b"},
				[]string{"a", "b"}, "names")
		},
		"got [1] want []\n": func(t testing.TB) { Same(t, []int{1}, []int(nil)) },
		"the page \"c\" is not in \"ab\"\n": func(t testing.TB) {
			Contains(t, "ab", "c",
				"the page")
		},
		"x got the error <nil> want a\n":                 func(t testing.TB) { Fails(t, nil, "a", "x") },
		"got the error file already exists want exist\n": func(t testing.TB) { Fails(t, fs.ErrExist, "exist") },
		"got the error file already exists want gone\n": func(t testing.TB) {
			FailsWith(t,
				Error(1, fs.ErrExist), "gone")
		},
	} {
		r := &reports{}
		does(r)
		if got := fmt.Sprint(r.all); got != "["+want+"]" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	Same(t, []int{}, []int(nil))
	path := filepath.Join(t.TempDir(), "x")
	Write(t, path, "text\n")
	Equal(t, Read(t, path), "text\n")
	Same(t, Files(t, path), []string{path})
	Equal(t, Run(t, exec.Command("echo", "said")), "said\n")
}

func TestDescriptorsAreGivenBackWhenATestEnds(t *testing.T) {
	var short error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		WithoutDescriptors(t, func() { _, short = os.Open(os.DevNull); runtime.Goexit() })
	}()
	<-ended
	FailsWith(t, short, "too many open files")
	Must(os.Open(os.DevNull))(t).Close()
}
