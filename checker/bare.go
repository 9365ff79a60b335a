package checker

// Wrapper is a check that adds something to another one.
type Wrapper interface {
	// Unwrap returns the other one.
	Unwrap() Checker
}

// Bare returns the check of the service itself, without wrappers.
func Bare(c Checker) Checker {
	switch c := c.(type) {
	case Guided:
		return Bare(c.First())
	case Wrapper:
		return Bare(c.Unwrap())
	}
	return c
}

// Idle returns why a check always fails without a request, because a required setting is missing; otherwise nil.
func Idle(c Checker) *SpecError {
	if i, ok := Bare(c).(interface{ Idle() *SpecError }); ok {
		return i.Idle()
	}
	return nil
}

// CompanyOf is what checks have in common that cost less one shortly after the other; "" for nothing.
func CompanyOf(c Checker) string {
	if of, ok := Bare(c).(interface{ Company() string }); ok {
		return of.Company()
	}
	return ""
}
