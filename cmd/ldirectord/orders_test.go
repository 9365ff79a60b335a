package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

// A reload that comes while another file is being read gets its own result, not that of the other file.
func TestReloadHasItsOwnAnswer(t *testing.T) {
	var large strings.Builder // so large that reading it takes a while
	for i := range 3000 {
		fmt.Fprintf(&large, "virtual = 10.1.%d.%d:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = off\n", i/250,
			i%250)
	}
	for what, c := range map[string]struct{ first, second, want string }{
		"good":    {large.String() + "nonsense = 1\n", twoServers, ""},
		"refused": {large.String(), twoServers + "\tnonsense = 1\n", "the file is refused: "},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			head := "autoreload = yes\n"
			d := launched(t, "start", head+twoServers)
			d.replace(head + c.first)
			within(t, "sign that the first file is being read",
				func() bool { return d.holds("log", "has changed on disk") })
			d.replace(head + c.second)
			err := d.options().socket().Order(t.Context(), daemon.ReloadTimeout, "/reload", nil,
				new(struct{}))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "" && len(d.report().Virtuals) != 1:
				t.Errorf("%d virtual services are in force, want 1", len(d.report().Virtuals))
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// The order that was given last wins, in whatever sequence orders arrive. An order is carried out even if its command
// is killed meanwhile.
func TestTheLatestRoleWins(t *testing.T) {
	d := launched(t, "standby", twoServers)
	s := d.options().socket()
	var answer daemon.RoleAnswer
	now := runfile.SinceBoot()
	for _, o := range []struct {
		to    instance.RoleChange
		given time.Duration
		want  instance.Role
	}{
		{instance.ToServe, now, instance.Active},
		{instance.ToLeave, now - time.Second, instance.Active}, // it was given earlier and arrives late
		{instance.ToLeave, now + 1, instance.Standby},
	} {
		words := url.Values{"to": {string(o.to)}, "given": {fmt.Sprint(int64(o.given))}}
		testkit.OK(t, s.Order(t.Context(), daemon.OrderTimeout, "/role", words, &answer))
		testkit.Equal(t, answer.Role, o.want, o)
	}
	c := testkit.Must(net.Dial("unix", string(s)))(t)
	fmt.Fprintf(c, "POST /role?to=serve HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Close()
	within(t, "promotion by a command that was killed", func() bool { return d.report().Role == "active" })
}

// The files of another user's daemon are ignored, as are those that are not regular.
func TestOrdersOfAnotherUsersDaemonAreShown(t *testing.T) {
	d := launched(t, "start", twoServers)
	d.tell("drain", "10.2.0.1")
	for _, name := range []string{"ldirectord.ld.cf.state", "ldirectord.ld.cf.drain"} {
		testkit.OK(t, os.Remove(d.path(name)))
		testkit.OK(t, os.MkdirAll(d.path(name+"/not-empty"), 0o700))
	}
	list, err := d.say("orders")
	if err != nil || !strings.Contains(list, "drain") {
		t.Errorf("%v: %q", err, list)
	}
	d.tell("stop")
	list, err = d.say("orders")
	if err == nil || !strings.Contains(list, "the file is ignored") {
		t.Errorf("without the daemon: %v: %q", err, list)
	}
}
