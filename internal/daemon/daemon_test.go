package daemon

import (
	"context"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/internal/director"
	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // a run folder that a group can write is refused
	os.Exit(m.Run())
}

// A container's quota of processors counts, which Go's runtime knows. Of 1024 descriptors 128 are kept for others.
func TestProcessorsAndDescriptorsLimitPrograms(t *testing.T) {
	defer runtime.SetDefaultGOMAXPROCS()
	for processors, want := range map[int]int{1: 32, 64: (1024 - 128) / 4 / 3} {
		runtime.GOMAXPROCS(processors)
		testkit.WithDescriptors(t, 1024, func() {
			env := NewEnvironment(icmp.NewPinger())
			defer env.Close()
			testkit.Equal(t, env.children.Limit(), want, processors)
		})
	}
}

// stop waits longer than a daemon may take to end: for its director, for the programs that it starts then, and for
// its last messages.
func TestStopWaitsLongerThanTheEndTakes(t *testing.T) {
	const killed = 2 * time.Second // for the end of a command that was killed
	if took := max(directorTimeout, hooksTimeout+killed) + 2*closeTimeout + time.Second; took >= EndTimeout {
		t.Errorf("the end may take %v, stop waits %v", took, EndTimeout)
	}
}

// Until the next daemon begins nobody checks the servers. Another daemon that waits takes them after instance.Handover.
func TestAHandoverWaitsShortlyForCommands(t *testing.T) {
	if took := commandsEnd(handedOver) + closeTimeout; took > instance.Handover/2 {
		t.Errorf("a handover may take %v", took)
	}
	testkit.Equal(t, commandsEnd("TERM"), hooksTimeout, "at a stop")
}

// locked makes this process the daemon of an instance.
func locked(t *testing.T) (instance.Instance, *instance.Lock) {
	t.Helper()
	i := instance.New(t.TempDir(), instance.Daemon{Path: "/a.cf", Table: "memory", NetNS: instance.NetNS()}, "a.cf")
	return i, testkit.Must(i.Acquire(t.Context(), ""))(t)
}

// What a stop could not remove is recorded for the next daemon, which removes it; what it could is free for others.
func TestAStopRecordsWhatIsLeft(t *testing.T) {
	env := NewEnvironment(icmp.NewPinger())
	defer env.Close()
	text := []byte("virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n" +
		"virtual = 10.1.0.2:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n")
	for stays, want := range map[string]string{"": "ending", "10.1.0.2:80": "handed over 10.1.0.2:80"} {
		i, lock := locked(t)
		l := Source{Checks: env}.prepare(t.Context(), text, parser.Options{})
		synctest.Test(t, func(t *testing.T) {
			d := &daemon{Options: Options{Manager: &ServiceManager{}, Loaded: l}, lock: lock,
				ended: make(chan error, 1)}
			d.siblings, d.claims = &siblings{d: d}, newClaims(d)
			d.director = director.New(director.Deps{Claims: d.claims,
				Table: keepsTable{ipvsctl.NewMemory(nil), stays}})
			ctx, end := context.WithCancelCause(t.Context())
			d.end = end
			go func() { d.ended <- d.director.Run(ctx, l.Plan) }()
			<-d.director.Settled()
			testkit.Equal(t, d.leave("TERM", nil), error(endedBy("TERM")))
		})
		s := i.State()
		got := string(s.Phase)
		for _, k := range s.Virtuals {
			got += " " + k.Addr.String()
		}
		testkit.Equal(t, got, want)
	}
}

// keepsTable refuses to remove one virtual service.
type keepsTable struct {
	*ipvsctl.Memory
	stays string
}

func (k keepsTable) Do(ctx context.Context, ops ...lvs.Op) []error {
	for _, op := range ops {
		if op.Kind == lvs.DelService && op.Key.Addr.String() == k.stays {
			return slices.Repeat([]error{syscall.EPERM}, len(ops))
		}
	}
	return k.Memory.Do(ctx, ops...)
}

// When the director hangs at the end, the daemon ends without it, and the record of what is in the table is kept.
func TestADirectorThatHangsIsLeft(t *testing.T) {
	i, lock := locked(t)
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{Options: Options{Manager: &ServiceManager{}}, lock: lock}
		testkit.OK(t, lock.Update(func(s *instance.State) { s.Phase = instance.Ending }))
		begun := time.Now()
		testkit.FailsWith(t, d.awaitEnd("TERM"), "work on the table did not end within")
		testkit.Equal(t, time.Since(begun), directorTimeout, "it took")
		testkit.Equal(t, i.State().Phase, instance.Running, "recorded")
	})
	ended := make(chan error, 1)
	ended <- nil
	d := &daemon{Options: Options{Manager: &ServiceManager{}}, ended: ended}
	testkit.Equal(t, d.awaitEnd("TERM"), error(endedBy("TERM")), "one that ends")
}
