package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// Backends finds the servers that an operator names. real is address:port, an address, a name or a tag. virtual is an
// id, address:port or a mark. "" means any. Backends leaves out ranges whose names have no address yet, and servers
// whose names have moved to another address.
func (now *Snapshot) Backends(virtual, real string) (found []lvs.Backend) {
	for v, s := range now.Each() {
		if lvs.IsNamed(v.ID, virtual) && (s.Waits || s.Addr.IsValid()) && !s.Moved && s.IsMeant(real) {
			found = append(found, lvs.At(v.ID, s.Real))
		}
	}
	return found
}

// AllNames returns each of the given servers that has an alias, which orders may use too, under that alias, followed by
// all given servers.
func (now *Snapshot) AllNames(servers []lvs.Backend) (all []lvs.Backend) {
	for v, s := range now.Among(servers) {
		if s.Alias != "" {
			all = append(all, lvs.At(v.ID, s.Alias))
		}
	}
	return append(all, servers...)
}

// Label returns the id of a virtual service, followed by its servicename if it has one.
func Label(id, servicename string) string {
	if servicename != "" {
		id += " [" + servicename + "]"
	}
	return id
}

// Called replaces a servicename with the id of its virtual service. Ids, addresses and marks take precedence over
// names. Blanks around a name don't count, because a comment or a stray blank in the file may leave some.
func (now *Snapshot) Called(word *string) error {
	var ids []string
	for _, v := range now.Virtuals {
		if lvs.IsNamed(v.ID, *word) {
			return nil
		}
		if strings.TrimSpace(v.Title) == strings.TrimSpace(*word) {
			ids = append(ids, v.ID)
		}
	}
	if len(ids) == 1 {
		*word = ids[0]
	} else if len(ids) > 1 {
		return fmt.Errorf("%s is the name of several virtual services: %s", *word, strings.Join(ids, ", "))
	}
	return nil
}

// IsMeant reports whether a word means this real server. The word may be its name, its address or one of its tags. ""
// means any server.
func (s *Server) IsMeant(word string) bool {
	return word == "" || lvs.IsServer(s.Real, word) || lvs.IsServer(s.Alias, word) || s.Tags.IsMeant(word)
}

// Undrained finds one of these servers that still gets new connections, and returns the reason.
func (now *Snapshot) Undrained(backends []lvs.Backend) (left lvs.Backend, why string, any bool) {
	for v, s := range now.Among(backends) {
		if s.InTable && s.Effective > 0 {
			return lvs.At(v.ID, s.Real), cmp.Or(v.Error,
				"its entry in the table belongs to another server too, or was changed externally"), true
		}
	}
	return lvs.Backend{}, "", false
}

// Refusing returns those virtual services of these servers whose scheduler refuses the clients of a drained server.
func (now *Snapshot) Refusing(backends []lvs.Backend) (ids []string) {
	for v := range now.Among(backends) {
		if v.Refuses && !slices.Contains(ids, v.ID) {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

func setOf(backends []lvs.Backend) map[lvs.Backend]bool {
	set := make(map[lvs.Backend]bool, len(backends))
	for _, b := range backends {
		set[b] = true
	}
	return set
}

// Fallbacks returns the server of the directive fallback, followed by those of alsofallback.
func (v *Virtual) Fallbacks() []*Fallback {
	if v.Fallback == nil {
		return nil
	}
	return append([]*Fallback{v.Fallback}, v.AlsoFallbacks...)
}

// ServingFallback returns the fallback server that serves, or nil if none does.
func (v *Virtual) ServingFallback() *Fallback {
	for _, f := range v.Fallbacks() {
		if f.Active {
			return f
		}
	}
	return nil
}

// Only drops all servers except those that an operator names, and all virtual services that contain none of them.
func (now *Snapshot) Only(virtual, real string) {
	now.Virtuals = slices.DeleteFunc(now.Virtuals,
		func(v Virtual) bool { return !lvs.IsNamed(v.ID, virtual) })
	for i := range now.Virtuals {
		v := &now.Virtuals[i]
		v.Servers = slices.DeleteFunc(v.Servers, func(s Server) bool { return !s.IsMeant(real) })
		v.Leaving = slices.DeleteFunc(v.Leaving,
			func(l Departure) bool { return real != "" && !lvs.IsServer(l.Real, real) })
	}
	now.Virtuals = slices.DeleteFunc(now.Virtuals, func(v Virtual) bool {
		isAsked := func(f *Fallback) bool { return f.Asked != nil }
		return len(v.Servers)+len(v.Leaving) == 0 && !slices.ContainsFunc(v.Fallbacks(), isAsked)
	})
}
