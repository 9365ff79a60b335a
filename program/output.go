package program

// Output keeps the first bytes that a program writes, or the last. It takes everything.
type Output struct {
	Max  int  // how many bytes are kept
	Last bool // the last bytes are kept
	Text []byte
	Cut  bool // there were more bytes
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.Cut = o.Cut || len(o.Text)+len(p) > o.Max
	if !o.Last {
		o.Text = append(o.Text, p[:min(len(p), o.Max-len(o.Text))]...)
		return len(p), nil
	}
	o.Text = append(o.Text, p...)
	if extra := len(o.Text) - o.Max; extra > 0 {
		o.Text = append(o.Text[:0], o.Text[extra:]...)
	}
	return len(p), nil
}
