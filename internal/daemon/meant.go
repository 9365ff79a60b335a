package daemon

import (
	"fmt"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/socket"
	"ldirectord/internal/view"
)

// alone refuses a waiting order for servers that already have an order, because the new order would end that one now.
func alone(meant []lvs.Backend, all orders.All) error {
	for _, p := range meant {
		if o, has := all[p]; has {
			return socket.Refused(fmt.Sprintf("%s has an order, %s; --from is for servers without one", p,
				o))
		}
	}
	return nil
}

const howCalled = "a virtual service is named by ADDRESS:PORT as in status, by its mark, or by its servicename"

// meantBy returns the servers, virtual services or addresses that an order names. An order for a server that is no
// longer in the file can still be undone.
func meantBy(r orders.Request, now *view.Snapshot, all orders.All, path string) ([]lvs.Backend, error) {
	virtual := &r.Virtual
	if r.Virtual == "" && len(now.Backends("", r.Real)) == 0 { // a single word that names no server
		virtual = &r.Real
	}
	if err := now.Called(virtual); err != nil {
		return nil, socket.Refused(err.Error())
	}
	found, why := now.Backends(r.Virtual, r.Real), fmt.Sprintf("%s has no real server %s", path, r.Real)
	switch isVirtual := func(v view.Virtual) bool { return lvs.IsNamed(v.ID, r.Real) }; {
	case r.Kind == orders.Withdraw, r.Kind == orders.Announce:
		found, why = announced(r, now, all, path)
	case r.Kind == orders.Obey || r.Kind == orders.Ready && r.Real == "":
		found, why = guarded(r, now)
	case slices.ContainsFunc(now.Virtuals, isVirtual) && r.Kind == orders.Ready:
		why = r.Real + " has no order"
	case r.Virtual != "":
		why = fmt.Sprintf("%s has no virtual service %s with a real server %s; %s", path, r.Virtual, r.Real,
			howCalled)
	}
	known := now.AllNames(found)
	for _, p := range all.Sorted() {
		if r.Kind == orders.Ready && p.IsMeant(r.Virtual, r.Real) && !slices.Contains(known, p) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, socket.Refused(why)
	}
	return found, nil
}

// guarded returns the virtual services that an order of the command obey names, or the reason why there are none.
func guarded(r orders.Request, now *view.Snapshot) (found []lvs.Backend, why string) {
	name := strings.TrimSpace(r.Virtual + " " + r.Real)
	why = fmt.Sprintf("there is no virtual service %s; %s", name, howCalled)
	for i := range now.Virtuals {
		switch v := &now.Virtuals[i]; {
		case name == "" || !lvs.IsNamed(v.ID, name):
		case v.Holder == "" && r.Kind == orders.Obey:
			why = v.ID + " has no keepserving, checkvip, paceout or pace: " +
				"its checks can already remove every server"
		case r.Kind == orders.Obey && v.Recovered:
			why = "every server of " + v.ID + " is up: the order would end at once"
		default:
			found = append(found, lvs.Backend{Virtual: v.ID})
		}
	}
	return found, why
}

// announced returns the addresses that an order of the command withdraw or announce names, or the reason why there are
// none.
func announced(r orders.Request, now *view.Snapshot, all orders.All, path string) (found []lvs.Backend,
	why string) {
	if address, err := lvs.ParseAddr(r.Virtual); err == nil {
		r.Virtual = address.String()
	}
	back, every := r.Kind == orders.Announce, lvs.Backend{Virtual: orders.EveryAddress}
	isMeant := func(address string) bool { return address == r.Virtual || r.Virtual == every.Virtual }
	if _, withdrawn := all[every]; back && withdrawn && r.Virtual != every.Virtual {
		return nil, "every address is withdrawn by order; to end that order, use announce without an address"
	}
	for at, o := range all {
		if back && o.Kind == orders.Withdraw && isMeant(at.Virtual) {
			found = append(found, at)
		}
	}
	if len(found) == 0 && slices.ContainsFunc(now.Announcements,
		func(one view.Announcement) bool { return isMeant(one.Address) }) {
		found = append(found, lvs.Backend{Virtual: r.Virtual})
	}
	return found, strings.TrimSuffix(fmt.Sprintf("%s announces no address %s", path, r.Virtual), " "+every.Virtual)
}
