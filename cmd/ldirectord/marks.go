package main

import (
	"ldirectord/director"
	"ldirectord/fwmark"
)

// marks are the mark rules of this daemon on this machine. A table in memory has none beside it.
func (a *app) marks() director.Marks {
	if a.ipvs != defaultIPVS {
		return nil
	}
	return fwmark.Open(a.instance().Chains())
}
