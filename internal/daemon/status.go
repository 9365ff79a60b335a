package daemon

import (
	"context"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/socket"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
)

// connectionsTimeout is the time limit for reading the connections of all servers.
const connectionsTimeout = time.Second

// lacking returns the number of virtual services without a server, and the number of all virtual services. It copies
// no servers and does not read the kernel's counters, because cluster managers ask every few seconds.
func (d *daemon) lacking(ctx context.Context) ([]int, error) {
	lacking, all, err := d.director.Lacking(ctx)
	return []int{lacking, all}, err
}

// process returns the facts about the daemon itself.
func (d *daemon) process() status.Process {
	process := d.tally.process()
	if f := d.log.trouble(); f != nil {
		process.Failures = append(process.Failures, *f)
	}
	return process
}

// report returns the current status of the daemon and of its servers.
func (d *daemon) report(ctx context.Context) (*status.Report, error) {
	now, err := d.director.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	now.Orders = d.orders.withWaiting(now.Orders)
	now.Await(d.orders.waiting())
	counted, _ := d.connections(ctx, now) // those that could be read in time
	return status.NewReport(now, d.process(), counted), nil
}

// why returns the history of the servers that a request names. Only root gets the conversations with the servers,
// because these may contain confidential pages.
func (d *daemon) why(ctx context.Context, virtual, real string) (*status.Why, error) {
	now, err := d.director.Why(ctx, virtual, real)
	if err != nil {
		return nil, err
	}
	now.Await(d.orders.waiting())
	counted, _ := d.connections(ctx, now)
	process := d.tally.process()
	why := status.NewWhy(now, process.Started, counted)
	why.Zone = process.Zone
	if socket.UserOf(ctx) != 0 {
		why.DropConversations()
	}
	return why, nil
}

// connections reads the counters of all servers from the kernel. It uses its own client, so that it never waits for the
// director's. If it fails, it also returns the counters that it has read so far.
func (d *daemon) connections(ctx context.Context, now *view.Snapshot) (map[lvs.Backend]lvs.Counters, error) {
	if d.Table.Live == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectionsTimeout)
	defer cancel()
	all := map[lvs.Backend]lvs.Counters{}
	for _, v := range now.Virtuals {
		found, err := d.Table.Live.Services(ctx, v.Key)
		if err != nil {
			return all, err
		}
		for _, s := range v.Servers {
			if c, in := found[v.Key].Counters[s.Addr]; in {
				all[lvs.At(v.ID, s.Real)] = c
			}
		}
	}
	return all, nil
}
