package subprocess

// Output keeps the first or the last bytes that a program writes. It never blocks the program.
type Output struct {
	Max  int  // how many bytes are kept
	Last bool // the last bytes are kept
	Text []byte
	Cut  bool // there were more bytes
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.Text = append(o.Text, p...)
	if extra := len(o.Text) - o.Max; extra > 0 {
		o.Cut = true
		if o.Last {
			copy(o.Text, o.Text[extra:])
		}
		o.Text = o.Text[:o.Max]
	}
	return len(p), nil
}
