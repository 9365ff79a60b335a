package ipvsctl

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"

	"ldirectord/internal/lvs"
)

// Memory is a table that balances no load, for trials, tests and measurements. It returns the same errnos as the
// kernel. It may be read while another goroutine changes it.
type Memory struct {
	// If OnChange is not nil, it is called after each change, by the goroutine that made the change. It must be set
	// before the first use. It may call Read.
	OnChange func()

	mu    sync.Mutex // guards what follows
	table lvs.Table
	idle  lvs.Timeouts
}

// NewMemory returns a table whose initial content is a copy of t.
func NewMemory(t lvs.Table) *Memory {
	return &Memory{table: cloneOf(t), idle: lvs.Timeouts{900, 120, 300}} // as in a new kernel
}

// Connect does nothing: a Memory needs no connection.
func (m *Memory) Connect(context.Context) error { return nil }

// Read returns a copy of the table.
func (m *Memory) Read(ctx context.Context) (lvs.Table, error) {
	if err := ctx.Err(); err != nil {
		return nil, &OpError{Op: "read", Err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return cloneOf(m.table), nil
}

// cloneOf returns a copy of a table, without counters. The copy shares no destinations with the table.
func cloneOf(t lvs.Table) lvs.Table {
	own := make(lvs.Table, len(t))
	for key, s := range t {
		own[key] = lvs.VirtualService{Key: s.Key, Settings: s.Settings, Dests: slices.Clone(s.Dests)}
	}
	return own
}

// Services returns the destinations of the given services. Their counters are zero, because a Memory has no
// connections.
func (m *Memory) Services(_ context.Context, keys ...lvs.Key) (lvs.Table, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := lvs.Table{}
	for _, key := range keys {
		one := lvs.VirtualService{Key: key, Dests: slices.Clone(m.table[key].Dests),
			Counters: map[netip.AddrPort]lvs.Counters{}}
		for _, dest := range one.Dests {
			one.Counters[dest.Addr] = lvs.Counters{}
		}
		all[key] = one
	}
	return all, nil
}

// Timeouts changes the timeouts, see Client.
func (m *Memory) Timeouts(_ context.Context, order lvs.Timeouts) (was lvs.Timeouts, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was, m.idle = m.idle, order.Over(m.idle)
	return was, nil
}

// Do makes changes, see Client.
func (m *Memory) Do(ctx context.Context, ops ...lvs.Op) (results []error) {
	for _, op := range ops {
		results = append(results, refused(op, m.do(ctx, op)))
	}
	return results
}

func (m *Memory) do(ctx context.Context, op lvs.Op) error {
	if err := cmp.Or(ctx.Err(), Check(op)); err != nil {
		return err
	}
	changed, err := m.apply(op)
	if changed && m.OnChange != nil {
		m.OnChange()
	}
	return err
}

// Close does nothing: the table remains in its Memory.
func (m *Memory) Close() error { return nil }

func (m *Memory) apply(op lvs.Op) (changed bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	service, exists := m.table[op.Key]
	switch op.Kind {
	case lvs.AddService, lvs.EditService:
		err = putService(&service, op, exists)
	case lvs.DelService:
		delete(m.table, op.Key)
		return exists, nil
	default:
		err = changeDest(&service, op, exists)
	}
	if err == nil {
		m.table[op.Key] = service
	}
	return err == nil, err
}

func putService(service *lvs.VirtualService, op lvs.Op, exists bool) error {
	s := op.Settings
	hasScheduler, hasEngine := slices.Contains(schedulers, s.Scheduler), slices.Contains(engines, s.PEName)
	switch {
	case !exists && op.Kind == lvs.EditService:
		return syscall.ESRCH
	case exists && op.New:
		return syscall.EEXIST
	case !hasScheduler || !hasEngine:
		return lacking(s, hasScheduler, hasEngine)
	}
	service.Key, service.Settings = op.Key, s.Stored(op.Key.IPv6)
	return nil
}

// changeDest changes a destination of a virtual service.
func changeDest(service *lvs.VirtualService, op lvs.Op, exists bool) error {
	_, in := service.Dests.At(op.Dest.Addr)
	switch {
	case !exists:
		return syscall.ESRCH
	case !in && op.Kind != lvs.AddDest:
		return syscall.ENOENT
	case op.Kind == lvs.DelDest:
		service.Dests.Remove(op.Dest.Addr)
	default:
		service.Dests.Put(op.Dest)
	}
	return nil
}

// schedulers are the schedulers of Linux 6.1. The name none means no scheduler.
var schedulers = strings.Fields("rr wrr lc wlc lblc lblcr dh sh mh sed nq fo ovf twos none")

// engines are the persistence engines. The name "" means no engine.
var engines = []string{"", "sip"}
