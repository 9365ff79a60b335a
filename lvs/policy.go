package lvs

// Policy is what a section says of how its servers come and go, in the words of the file: the configuration has it, and
// what decides asks it.
type Policy struct {
	KeepServing Share   // extension: how many checks must leave in service; zero: they may take out all
	MinServers  LowHigh // extension: how many are enough; zero: one
	Quiescent   bool    // a server that fails has weight 0, and is not removed
	Repair      bool    // extension: changes made by hand are undone at once
}
