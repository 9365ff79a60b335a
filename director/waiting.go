package director

import (
	"context"

	"ldirectord/parser"
)

// This file handles real servers whose host name has no address yet. They are unknown and in no table. They count as
// down, so that the fallback server can serve. A destination that was in the table at the start may be one of them, so
// it is kept as it is until every name has an address. Servers that left the file when such a name was added stay too,
// and are checked.

// Refine replaces the current plan by one that differs only in servers whose names have got an address. Unlike a reload
// it keeps overrides. It returns when the table follows, or when ctx is done.
func (d *Director) Refine(ctx context.Context, p *Plan) error {
	return d.replace(ctx, p, true)
}

// noAddress is why a server has no address.
func noAddress(w parser.Waiting) string { return "no address: " + w.Host + ": " + w.Why }
