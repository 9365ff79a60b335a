package director

import (
	"fmt"
	"ldirectord/core"
	"ldirectord/history"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A channel is only a receiver: everything that it must know is in the changes, in the order of the events.
func TestAReceiverIsToldOfEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = strings.Replace(threeAndOne, "= connect\n", "= connect\n\tonchange = tell\n", 1)
		var told []string
		s.channels = []core.Receiver{func(c *core.Change) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if c.Status == "" || c.Time.IsZero() || c.Global == nil || c.Global.CheckInterval != s.current.Config.Global.CheckInterval {
				t.Errorf("%s: status %q at %v", c.Kind, c.Status, c.Time)
			}
			switch {
			case c.Result != nil && c.Past == history.Nothing:
			case c.Kind != "":
				told = append(told, string(c.Kind))
			case c.After.Text != nil:
				told = append(told, fmt.Sprintf("%s has %d of %d up, before %d", c.Virtual, c.After.Up, c.After.Servers,
					c.Before.Up))
			case c.Before.Verdict != c.After.Verdict:
				told = append(told, fmt.Sprintf("it is %s, was %s, by %d of %d", c.After.Verdict,
					c.Before.Verdict, c.By.Count, c.By.Needed))
			case c.Result != nil && !c.Result.OK:
				told = append(told, fmt.Sprintf("it failed, %d of %d", c.By.Count, c.By.Needed))
			}
		}}
		s.start("one", false)
		time.Sleep(5 * time.Second)
		s.mu.Lock()
		told = nil
		s.mu.Unlock()
		s.set(servers[0], "down")
		time.Sleep(5 * time.Second)
		s.mu.Lock()
		got := slices.Clone(told)
		s.mu.Unlock()
		want := []string{
			"it failed, 1 of 2", "soft-failure", "it failed, 2 of 2", "check-failed",
			"it is down, was up, by 2 of 2", "deleted", "tcp:10.1.0.1:80 has 2 of 3 up, before 3",
		}
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("%q, want %q", got, want)
		}
		s.stop(ErrHandover)
		time.Sleep(time.Second) // checks in flight end
	})
}
