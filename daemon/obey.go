package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"

	"ldirectord/director"
	"ldirectord/instance"
)

// obey lets the checks of a virtual service take out every server, until all are up; with the word off not any more. The
// order is recorded before anything changes: what can't be recorded is not done.
func (o *orders) obey(ctx context.Context, now *director.Snapshot, words url.Values) (any, error) {
	id, err := guarded(now, words.Get("virtual"), words.Has("off"))
	if err != nil {
		return nil, err
	}
	all := maps.Clone(o.obeyed)
	if delete(all, id); !words.Has("off") {
		all[id] = true
	}
	if err := o.recordObeyed(all); err != nil {
		return nil, refusal(fmt.Sprintf("nothing is changed: %v", err))
	}
	if err := o.d.director.Obey(ctx, o.obeyed); err != nil {
		return nil, fmt.Errorf("the order is recorded; the director waits for the table: %w", err)
	}
	return id, nil
}

// guarded finds the virtual service that an order to obey, or not any more, means.
func guarded(now *director.Snapshot, word string, off bool) (id string, err error) {
	for i := range now.Virtuals {
		v := &now.Virtuals[i]
		if word != v.ID && word != v.Name {
			continue
		}
		switch {
		case v.Guard.Quota == 0:
			return "", refusal(fmt.Sprintf("%s has no keepserving: its checks have their way", v.ID))
		case !off && v.Guard.Rests:
			return "", refusal(fmt.Sprintf("every server of %s is up: the order would end at once", v.ID))
		}
		return v.ID, nil
	}
	return "", refusal(fmt.Sprintf("there is no virtual service %s; it is called ADDRESS:PORT, as status has it, or by its mark", word))
}

// recordObeyed keeps the orders to obey for the next daemon.
func (o *orders) recordObeyed(all map[string]bool) error {
	lines := append([]string{instance.OrdersFormat}, slices.Sorted(maps.Keys(all))...)
	if err := instance.Write(o.d.lock.Obey, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("recording the orders to obey: %w", err)
	}
	o.obeyed = all
	return nil
}

// readObeyed reads the orders to obey that a daemon before left.
func (o *orders) readObeyed() error {
	o.obeyed = map[string]bool{}
	text, err := instance.Read(o.d.lock.Obey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the orders to obey: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if id := strings.TrimSpace(line); id != "" && !strings.HasPrefix(id, "#") {
			o.obeyed[id] = true
		}
	}
	return nil
}

// keepObeyed drops the orders to obey that are over, and saves the others if their file was lost.
func (o *orders) keepObeyed(ctx context.Context) {
	if len(o.obeyed) == 0 {
		return
	}
	now, err := o.d.director.Snapshot(ctx)
	if err != nil {
		return
	}
	left := maps.Clone(o.obeyed)
	for i := range now.Virtuals {
		if v := &now.Virtuals[i]; !v.Guard.Obeys {
			delete(left, v.ID)
		}
	}
	if len(left) < len(o.obeyed) || !instance.Exists(o.d.lock.Obey) {
		_ = o.recordObeyed(left) // it is tried again
	}
}

// Obey gives the running daemon the order that checks may take out every server of a virtual service, until all are up,
// or, with off, that they may not any more. It returns the id of the virtual service. Errors are those of
// instance.Socket.Order.
func Obey(ctx context.Context, s instance.Socket, virtual string, off bool) (id string, err error) {
	words := url.Values{"virtual": {virtual}}
	if off {
		words.Set("off", "")
	}
	err = s.Order(ctx, OrderTimeout, "/obey", words, &id)
	return id, err
}
