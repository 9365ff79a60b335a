package ipvsctl

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"

	"github.com/moby/ipvs"
)

// mobyDests changes destinations as moby/ipvs does: one at a time, and it waits for each answer.
func mobyDests(t testing.TB, h *ipvs.Handle, ops []lvs.Op) {
	t.Helper()
	changes := map[lvs.OpKind]func(*ipvs.Service, *ipvs.Destination) error{
		lvs.AddDest: h.NewDestination, lvs.EditDest: h.UpdateDestination, lvs.DelDest: h.DelDestination,
	}
	for _, op := range ops {
		d := &ipvs.Destination{
			AddressFamily: syscall.AF_INET, Address: op.Dest.Addr.Addr().AsSlice(),
			Port: op.Dest.Addr.Port(), Weight: int(op.Dest.Weight),
		}
		testkit.OK(t, changes[op.Kind](mobyService(op), d), op)
	}
}

// A change in a batch takes at most three tenths of the time of one by moby/ipvs, on any machine. Both take turns and
// change half of the services each, so that the kernel does the same work for both.
func TestKernelChangesInBatchesCostLess(t *testing.T) {
	k := ownKernel(t)
	h := testkit.Must(ipvs.New(""))(t)
	defer h.Close()
	up, down, none := rack(2500, 4, 1), rack(2500, 4, 0), rack(2500, 4, 1)
	for key, service := range none {
		service.Dests = nil
		none[key] = service
	}
	begun := time.Now()
	apply(t, k, lvs.Diff(nil, none)...)
	t.Logf("a service is added in %v", time.Since(begun)/2500)
	for _, step := range []struct {
		name       string
		have, want lvs.Table
	}{{"add", none, up}, {"edit", up, down}, {"delete", down, none}, {"add again", none, up}} {
		var batches, moby, slowBatch, slowMoby time.Duration
		ops := lvs.Diff(step.have, step.want)
		if step.name == "add again" {
			// the kernel keeps a list of the destinations removed lately, and searches it from the last
			// one on
			slices.Reverse(ops)
		}
		for part := range slices.Chunk(ops, len(ops)/20) {
			begun := time.Now()
			do(t, k, part[:len(part)/2]...)
			between := time.Now()
			mobyDests(t, h, part[len(part)/2:])
			inBatches, byMoby := between.Sub(begun), time.Since(between)
			batches, moby, slowBatch, slowMoby = batches+inBatches, moby+byMoby, max(slowBatch, inBatches),
				max(slowMoby, byMoby)
		}
		batches, moby = batches-slowBatch, moby-slowMoby // in one of the parts the machine may have stood still
		each := time.Duration(len(ops) / 2 * 19 / 20)
		t.Logf("%s: %v for a change, by moby/ipvs %v: %.2f", step.name, batches/each, moby/each,
			float64(batches)/float64(moby))
		if float64(batches) > 0.3*float64(moby) {
			t.Errorf("%s: not less than 0.3 of moby/ipvs", step.name)
		}
	}
	begun = time.Now()
	if left := lvs.Diff(apply(t, k), up); len(left) > 0 {
		t.Errorf("%d differences, the first %s", len(left), left[0])
	}
	t.Logf("the table of 2,500 services with four destinations each is read in %v", time.Since(begun))
}
