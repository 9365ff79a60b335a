package daemon

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// The file of a Perl ldirectord that was read too early, or before its names could be looked up, is read again. What
// else the file needs changes nothing.
func TestTheFileOfAPerlDaemonIsReadAgain(t *testing.T) {
	var answers atomic.Bool // a look-up that is too late may still see an answer
	nameserver.Use(t, func(string) string {
		if answers.Load() {
			return "10.1.0.2"
		}
		return "silent"
	})
	p := &perl{path: filepath.Join(t.TempDir(), "perl.cf")}
	testkit.Write(t, p.path, "virtual=web.:80\n\tmonitorfile=/none/none/none\nvirtual=10.1.0.1:80\n")
	follow := func(ctx context.Context, want string) {
		t.Helper()
		p.follow(ctx, Source{Checks: &Environment{}})
		got := ""
		for _, k := range p.has {
			got += k.Addr.String() + " "
		}
		testkit.Equal(t, got, want)
	}
	synctest.Test(t, func(t *testing.T) {
		comes := make(chan struct{})
		defer close(comes)
		_ = runfile.Try(p.path, func() error { <-comes; return nil })
		follow(t.Context(), "")
	})
	late := testkit.Ended(t)
	follow(late, "10.1.0.1:80 ")
	follow(t.Context(), "10.1.0.1:80 ")
	answers.Store(true)
	p.again = time.Now()
	follow(t.Context(), "10.1.0.2:80 10.1.0.1:80 ")
	follow(late, "10.1.0.2:80 10.1.0.1:80 ")
}
