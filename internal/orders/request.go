package orders

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/maintenance"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// Request is an order for real servers, virtual services or addresses. A request for Ready ends the current order, and
// one for Announce ends Withdraw.
type Request struct {
	Virtual string // as the operator named it, or the address; "" for any
	Real    string // "" in an order for a virtual service or an address
	Force   bool   // even if too few servers are left
	// how long the request waits until enough servers are left; 0 if it does not wait
	WaitBudget time.Duration
	Percent    int // with Weigh: 1 to 99 percent of each server's weight in the file; 0: Weight applies
	Order
}

const maxWhy = 200 // bytes of a reason that are kept

// kinds are the orders that take no number.
var kinds = []Kind{Drain, Maint, Ready, Obey, Withdraw, Announce}

// Parse reads the words of a request. The order is drain, maint, ready, obey, withdraw, announce, or weight and a
// number or percentage; weight 0 means drain. It may have a reason, a time to begin (18:00), and an end, given as a
// time or as a duration (2h). Parse also changes words: it shortens the reason, and adds the date and the time zone to
// from and until, because the daemon may have another time zone.
func Parse(words url.Values) (r Request, err error) {
	if err := Known(words, "order", "server", "virtual", "force", "wait-budget", "why", "from", "until",
		"for"); err != nil {
		return r, err
	}
	what, from, until, last := words.Get("order"), words.Get("from"), words.Get("until"), words.Get("for")
	why, more := printable.Cut(printable.Line(strings.TrimSpace(words.Get("why"))), maxWhy)
	why += more
	words.Set("why", why)
	now := time.Now()
	r.Virtual, r.Real, r.Force = words.Get("virtual"), words.Get("server"), words.Has("force")
	if r.WaitBudget, err = BudgetOf(words); err != nil {
		return r, err
	}
	r.Order = Order{Kind: Kind(what), Why: why, Since: second(now)}
	number, weighs := strings.CutPrefix(what, string(Weigh)+" ")
	if weighs {
		err = r.weigh(number)
	}
	switch {
	case err != nil:
		return r, err
	case !weighs && !slices.Contains(kinds, r.Kind):
		return r, fmt.Errorf("%q is not an order: drain, maint, ready, obey, withdraw, announce and weight N "+
			"are allowed", what)
	case r.Real == "" && (weighs || r.Kind == Drain || r.Kind == Maint):
		return r, fmt.Errorf("%s needs a server", what)
	case r.TakesBack() && (r.Why != "" || from != "" || until != "" || last != ""):
		return r, errors.New(
			"why, from, until and for do not work with the end of an order; " +
				"give them with the order itself")
	}
	if from != "" {
		if r.From, err = beginOf(r, from, now); err != nil {
			return r, err
		}
		now = r.From
		words.Set("from", now.Format(time.RFC3339))
	}
	if r.Until, err = endOf(until, last, now); last != "" {
		r.Boot, r.Ends = runfile.BootID(), runfile.SinceBoot()+time.Until(r.Until)
	} else if until != "" {
		words.Set("until", r.Until.Format(time.RFC3339))
	}
	return r, err
}

// weigh makes the request an order for a weight or a percentage. The weight 0 makes it an order to drain.
func (r *Request) weigh(number string) error {
	digits, isPercent := strings.CutSuffix(number, "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || isPercent && (n < 1 || n > 99) {
		return fmt.Errorf("%q is not a weight: 0 (drain), 1 to %d, and 1%% to 99%% are allowed", number,
			1<<31-1)
	}
	switch r.Kind = Weigh; {
	case isPercent:
		r.Percent = int(n)
	case n == 0:
		r.Kind = Drain
	default:
		r.Weight = int(n)
	}
	return nil
}

// maxBudget is the longest time that a request may wait until enough servers are left.
const maxBudget = 24 * time.Hour

// BudgetOf returns the time that a request may wait until enough servers are left.
func BudgetOf(words url.Values) (time.Duration, error) {
	d, err := time.ParseDuration(cmp.Or(words.Get("wait-budget"), "0"))
	return min(max(d, 0), maxBudget), runfile.While("reading wait-budget", err)
}

// Known returns an error unless the words of a request are among those that are allowed. Each may be given once, except
// via and refused. The words force and empty may have no value, or one that means yes.
func Known(words url.Values, allowed ...string) error {
	for name, values := range words {
		isFlag := name == "force" || name == "empty"
		switch {
		case len(allowed) == 0:
			return fmt.Errorf("%q is not an argument: none is allowed", name)
		case !slices.Contains(allowed, name):
			return fmt.Errorf("%q is not an argument: %s are allowed", name, strings.Join(allowed, ", "))
		case len(values) > 1 && name != "via" && name != "refused":
			return fmt.Errorf("%s is given twice", name)
		case isFlag && !slices.Contains([]string{"", "1", "yes", "true"}, values[0]):
			return fmt.Errorf("%s=%s: only %[1]s=yes is allowed", name, values[0])
		}
	}
	return nil
}

// For returns the order for a server with this weight in the file.
func (r Request) For(weight int) Order {
	o := r.Order
	if r.Percent > 0 && weight > 0 {
		o.Weight = max(1, weight*r.Percent/100)
	} else if r.Percent > 0 {
		o.Kind = Drain
	}
	return o
}

// What describes only the kind of order: drain, weight 5, weight 10%.
func (r Request) What() string {
	if r.Percent > 0 {
		return fmt.Sprintf("%s %d%%", Weigh, r.Percent)
	}
	return r.Order.What()
}

// StringFor describes the whole order for a server with this weight in the file, such as "weight 10% (5) by root".
func (r Request) StringFor(weight int) string {
	what := r.What()
	if r.Percent > 0 && weight > 0 { // an earlier version does not report the weight
		what += fmt.Sprintf(" (%d)", r.For(weight).Weight)
	}
	return strings.Replace(r.Order.String(), r.Order.What(), what, 1)
}

// TakesBack reports whether the request ends an order.
func (r Request) TakesBack() bool { return r.Kind == Ready || r.Kind == Announce }

// beginOf returns the time when a waiting order begins. If too few servers would be left then, the order waits longer.
func beginOf(r Request, from string, now time.Time) (time.Time, error) {
	if !slices.Contains([]Kind{Drain, Maint, Weigh}, r.Kind) || r.Force || r.WaitBudget > 0 {
		return now, errors.New("from works only with drain, maint and weight N, and not with force or " +
			"wait-budget: the order waits until enough servers are left")
	}
	return timeAfter(now, from)
}

// endOf returns the time when an order ends; zero if it never does.
func endOf(until, last string, now time.Time) (time.Time, error) {
	switch {
	case until != "" && last != "":
		return now, errors.New("give either until or for, not both")
	case last != "":
		d, unit, ok := parser.ParseSeconds(last)
		if !ok || unit == "" || d < 1 || d > 3650*24*3600 {
			return now, fmt.Errorf(
				"%q is not a duration for an order; use a number with a unit, such as 90s, "+
					"30m, 2h or 1d, up to 3650d", last)
		}
		return second(now.Add(d.Duration())), nil
	case until == "":
		return time.Time{}, nil
	}
	return timeAfter(now, until)
}

// timeAfter reads a time that must be later than now.
func timeAfter(now time.Time, text string) (time.Time, error) {
	t, err := maintenance.ParseUntil(text, now)
	if err == nil && !t.After(now) {
		err = fmt.Errorf(
			"%s is too early: it must be in the future, and an end must be after the beginning", text)
	}
	return second(t), err
}

// second returns t in UTC, cut to whole seconds. Orders have all their times in this form.
func second(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }
