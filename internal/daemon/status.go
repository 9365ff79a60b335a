package daemon

import (
	"context"
	"time"

	"ldirectord/internal/socket"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
)

// connectionsTimeout is the time limit for reading the connections of all servers.
const connectionsTimeout = time.Second

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
	_ = d.count(ctx, now) // the counters that can be read in time
	return status.NewReport(now, d.process()), nil
}

// why returns the history of the servers that a request names. Only root gets the conversations with the servers,
// because these may contain confidential pages.
func (d *daemon) why(ctx context.Context, virtual, real string) (*status.Why, error) {
	now, err := d.director.Why(ctx, virtual, real)
	if err != nil {
		return nil, err
	}
	now.Await(d.orders.waiting())
	_ = d.count(ctx, now)
	process := d.tally.process()
	why := status.NewWhy(now, process.Started)
	why.Zone = process.Zone
	if socket.UserOf(ctx) != 0 {
		why.DropConversations()
	}
	return why, nil
}

// count reads the counters of all servers from the kernel, and notes them in the snapshot. It uses its own client, so
// that it never waits for the director's. If it fails, some servers have no counters.
func (d *daemon) count(ctx context.Context, now *view.Snapshot) error {
	if d.Table.Live == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectionsTimeout)
	defer cancel()
	for _, v := range now.Virtuals {
		found, err := d.Table.Live.Services(ctx, v.Key)
		if err != nil {
			return err
		}
		for i := range v.Servers {
			if c, in := found[v.Key].Counters[v.Servers[i].Addr]; in {
				v.Servers[i].Connections = &c
			}
		}
	}
	return nil
}
