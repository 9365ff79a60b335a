package parser

// What the configuration's JSON form shows beyond the typed values: how they were written.
type (
	globalRaw  struct{}
	virtualRaw struct{}
	realRaw    struct{}
)
