package lvs

// Policy has the settings of a section that decide when servers are added and removed. Configuration and judge share
// it.
type Policy struct {
	KeepServing Share   // extension: how many servers checks must leave in service; zero: none
	MinServers  LowHigh // extension: how many servers are enough; zero: one
	Quiescent   bool    // a failing server gets weight 0 instead of being removed
	Repair      bool    // extension: changes made by hand are undone at once
}
