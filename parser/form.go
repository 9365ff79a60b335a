package parser

// Form says how a directive's value is written.
type Form uint8

// The forms of values.
const (
	Header         Form = iota // address and port, or a mark
	RealServer                 // address, method, weight, strings, thresholds
	FallbackServer             // address and method
	YesNo
	WholeSeconds
	Count
	PortNumber
	Ratio           // N/M
	QuotedText      // double quotes required
	EscapedText     // the same; a quote behind a backslash ends nothing
	MaybeQuotedText // double quotes optional
	Text            // as it stands; blanks at the end do not count
	FreeText        // as it stands
	Word            // one of a list
	WordList        // some of a list, with commas
	Mask
	Days
	StatusList // of HTTP
	HTTPHeader // double quotes optional
	MarkRule   // address, protocol and ports
	ListenAddress
)

func (f Form) String() string {
	return [...]string{
		Header:          "ADDRESS:PORT or MARK",
		RealServer:      `ADDRESS[->ADDRESS][:PORT] gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`,
		FallbackServer:  "ADDRESS[:PORT] [gate|masq|ipip]",
		YesNo:           "yes or no",
		WholeSeconds:    "seconds",
		Count:           "number",
		PortNumber:      "port",
		Ratio:           "N/M",
		QuotedText:      `"text"`,
		EscapedText:     `"text with \escapes"`,
		MaybeQuotedText: `text or "text"`,
		Text:            "text",
		FreeText:        "text, may be empty",
		Word:            "word",
		WordList:        "word, word, …",
		Mask:            "a.b.c.d, or 1 to 128 for IPv6",
		Days:            "days",
		StatusList:      "NNN, NNN-NNN, …",
		HTTPHeader:      `Name: value or "Name: value"`,
		MarkRule:        "ADDRESS[/LENGTH] tcp|udp|sctp|all PORT,PORT:PORT,…|all",
		ListenAddress:   "ADDRESS:PORT",
	}[f]
}

// isText reports whether the value is kept as written.
func (f Form) isText() bool {
	switch f {
	case QuotedText, EscapedText, MaybeQuotedText, Text, FreeText, HTTPHeader:
		return true
	}
	return false
}
