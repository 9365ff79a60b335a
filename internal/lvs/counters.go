package lvs

// Counters holds the connections of a destination at one moment (ipvsadm(8), -L: ActiveConn, InActConn and
// --persistent-conn), and its total traffic. status --json shows these fields, so fields may be added but never
// renamed.
type Counters struct {
	Active     uint32  `json:"active"`     // established TCP connections
	Inactive   uint32  `json:"inactive"`   // all other connections, including UDP
	Persistent uint32  `json:"persistent"` // clients that persistence sends to it
	Traffic    Traffic `json:"traffic"`
}

// Traffic is the traffic of a destination since it was added (ipvsadm(8), --stats). If answers don't pass through the
// director, outgoing counters are 0.
type Traffic struct {
	Connections uint64 `json:"connections"`
	PacketsIn   uint64 `json:"packets_in"`
	PacketsOut  uint64 `json:"packets_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
}

// Total returns the number of connections that count against the limits of a destination.
func (c Counters) Total() uint32 { return c.Active + c.Inactive }

// Idle reports whether a destination has neither connections nor clients that persistence sends to it.
func (c Counters) Idle() bool { return c.Active == 0 && c.Inactive == 0 && c.Persistent == 0 }
