package ipvsctl

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"

	"ldirectord/lvs"
)

// Memory is a table without load balancing, for trials, tests and measurements. It answers as the kernel does, with the
// same errnos. It may be read while another goroutine changes it.
type Memory struct {
	// OnChange, if set before the first use, is called after each change by the goroutine that made it.
	// It may Read.
	OnChange func()

	mu    sync.Mutex // guards table
	table map[lvs.Key]*Service
}

// NewMemory returns a table with the initial content t.
func NewMemory(t Table) *Memory {
	m := &Memory{table: map[lvs.Key]*Service{}}
	for key, service := range t {
		m.table[key] = service.clone()
	}
	return m
}

// Connect does nothing: a Memory needs no connection.
func (m *Memory) Connect(context.Context) error { return nil }

// Read returns a copy of the table.
func (m *Memory) Read(ctx context.Context) (Table, error) {
	if err := ctx.Err(); err != nil {
		return nil, &OpError{Op: "read", Err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := make(Table, len(m.table))
	for key, service := range m.table {
		t[key] = *service.clone()
	}
	return t, nil
}

// clone is a service with destinations of its own, without counters.
func (s *Service) clone() *Service {
	return &Service{Key: s.Key, Settings: s.Settings, Dests: slices.Clone(s.Dests)}
}

// Services returns the destinations of these services. Their counters are zero: it has no connections.
func (m *Memory) Services(_ context.Context, keys ...lvs.Key) (Table, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := Table{}
	for _, key := range keys {
		one := Service{Key: key, Counters: map[netip.AddrPort]lvs.Counters{}}
		if service := m.table[key]; service != nil {
			one.Dests = service.clone().Dests
		}
		for _, dest := range one.Dests {
			one.Counters[dest.Addr] = lvs.Counters{}
		}
		all[key] = one
	}
	return all, nil
}

// Do makes changes, see Client.
func (m *Memory) Do(ctx context.Context, ops ...Op) (results []error) {
	for _, op := range ops {
		results = append(results, m.do(ctx, op))
	}
	return results
}

func (m *Memory) do(ctx context.Context, op Op) error {
	if err := ctx.Err(); err != nil {
		return refused(op, err)
	}
	if err := op.Check(); err != nil {
		return refused(op, err)
	}
	changed, err := m.apply(op)
	if changed && m.OnChange != nil {
		m.OnChange()
	}
	return refused(op, err)
}

// Close does nothing: the table lives as long as its Memory.
func (m *Memory) Close() error { return nil }

func (m *Memory) apply(op Op) (changed bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	service, exists := m.table[op.Key]
	switch op.Kind {
	case AddService, EditService:
		return m.putService(op, exists)
	case DelService:
		delete(m.table, op.Key)
		return exists, nil
	default:
		return changeDest(service, op)
	}
}

func (m *Memory) putService(op Op, exists bool) (changed bool, err error) {
	switch {
	case !exists && op.Kind == EditService:
		return false, syscall.ESRCH
	case exists && op.New:
		return false, syscall.EEXIST
	case !slices.Contains(schedulers, op.Settings.Scheduler), !slices.Contains(engines, op.Settings.PEName):
		return false, lacking(op.Settings, m.known)
	case !exists:
		m.table[op.Key] = &Service{Key: op.Key}
	}
	m.table[op.Key].Settings = op.Settings.stored(op.Key.IPv6)
	return true, nil
}

// known reports whether a Memory has the scheduler or engine of this module.
func (m *Memory) known(module string) bool {
	name := strings.TrimPrefix(module, "ip_vs_")
	engine, isEngine := strings.CutPrefix(name, "pe_")
	return isEngine && slices.Contains(engines, engine) || !isEngine && slices.Contains(schedulers, name)
}

// changeDest changes a destination of a virtual service; nil: no such service.
func changeDest(service *Service, op Op) (changed bool, err error) {
	if service == nil {
		return false, syscall.ESRCH
	}
	if _, in := service.Dests.At(op.Dest.Addr); !in && op.Kind != AddDest {
		return false, syscall.ENOENT
	}
	if op.Kind == DelDest {
		service.Dests.Remove(op.Dest.Addr)
	} else {
		service.Dests.Put(op.Dest)
	}
	return true, nil
}

// schedulers are those of Linux 6.1; a service may also have none.
var schedulers = strings.Fields("rr wrr lc wlc lblc lblcr dh sh mh sed nq fo ovf twos none")

// engines are the persistence engines; most services have none.
var engines = []string{"", "sip"}
