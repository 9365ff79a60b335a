package judge

// Rule is one step of a decision. It may override earlier ones. The comment of a rule names its source and says what it
// does. docs/judgement.md shows these comments.
type Rule struct {
	Name string
	// places means that the rule needs the contents of the table. It is skipped while they are unknown.
	places bool
	step   func(*proposal) // applies it
}

// RuleID is the place of a rule in Rules, counted from 1; 0 means no rule.
type RuleID uint8

// String returns the rule's name; "" for no rule.
func (id RuleID) String() string {
	if id == 0 {
		return ""
	}
	return Rules[id-1].Name
}

// Rules lists all rules in the order in which they are applied.
var Rules = []Rule{
	gatheredRule,
	movedRule,
	nameRule,
	holddownRule,
	comebackRule,
	queueRule,
	paceRule,
	letInRule,
	obeyRule,
	releaseRule,
	guardRule,
	paceoutRule,
	leaveRule,
	suspectRule,
	holddownAgainRule,
	observeRule,
	movedAgainRule,
	releaseAgainRule,
	slowstartRule,
	onfailRule,
	backupRule,
	togetherRule,
	departureRule,
	drainRule,
	downRule,
	reportRule,
	unknownRule,
	upRule,
	offRule,
	foundRule,
	fallbackRule,
	replacedRule,
	byHandRule,
	rerouteRule,
}
