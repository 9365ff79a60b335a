package lvs

// Counters are what a destination carries at one moment (ipvsadm(8), -L: ActiveConn, InActConn and
// --persistent-conn), and what it carried in all. They are what status --json shows: fields are added, never renamed.
type Counters struct {
	Active     uint32  `json:"active"`     // established TCP connections
	Inactive   uint32  `json:"inactive"`   // all others, also UDP
	Persistent uint32  `json:"persistent"` // clients that come back to it
	Traffic    Traffic `json:"traffic"`
}

// Traffic is what a destination carried since it was added (ipvsadm(8), --stats). Where answers do not come back
// through the director nothing goes out.
type Traffic struct {
	Connections uint64 `json:"connections"`
	PacketsIn   uint64 `json:"packets_in"`
	PacketsOut  uint64 `json:"packets_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
}

// Idle reports whether nothing is carried now.
func (c Counters) Idle() bool { return c.Active == 0 && c.Inactive == 0 && c.Persistent == 0 }
