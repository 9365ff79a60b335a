package ipvsctl

// Counters are what a destination carries at one moment (ipvsadm(8), -L: ActiveConn, InActConn and
// --persistent-conn), and what it carried in all.
type Counters struct {
	Active     uint32 // established TCP connections
	Inactive   uint32 // all others, also UDP
	Persistent uint32 // clients that come back to it
	Traffic    Traffic
}

// Traffic is what a destination carried since it was added (ipvsadm(8), --stats). Where answers do not come back
// through the director nothing goes out.
type Traffic struct {
	Connections           uint64
	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64
}

// Idle reports whether nothing is carried now.
func (c Counters) Idle() bool { return c.Active == 0 && c.Inactive == 0 && c.Persistent == 0 }
