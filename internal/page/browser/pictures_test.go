package browser

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	maxPicture = 60_000 // bytes
	maxColours = 200
)

// Makes the pictures of the documents where PICTURES names a folder.
func TestPictures(t *testing.T) {
	dir := os.Getenv("PICTURES")
	if dir == "" {
		t.Skip("make page-pictures")
	}
	f := trouble(t)
	time.Sleep(35 * time.Second) // so that times are longer than some seconds
	f.say("127.1.2.22", "")
	time.Sleep(30 * time.Second)
	f.say("127.1.2.22", "<h1>starting up</h1>")
	time.Sleep(5 * time.Second)
	b := newTab(t, chromedp.Navigate(f.url))
	for _, p := range []struct {
		file, page string
		look       look
	}{
		{"page-light", "?", look{"", false, 1040, 670}},
		{"page-why", "?virtual=tcp:192.0.2.10:80&real=127.1.2.22:8080", look{"", true, 1040, 560}},
	} {
		b.do(append(p.look.actions(), chromedp.Navigate(f.url+p.page))...)
		b.await("down")
		var shot []byte
		b.do(chromedp.CaptureScreenshot(&shot))
		small := smaller(t, shot)
		if len(small) > maxPicture {
			t.Errorf("%s has %d bytes, want %d at most", p.file, len(small), maxPicture)
		}
		if err := os.WriteFile(filepath.Join(dir, p.file+".png"), small, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// smaller is a picture with only its most frequent colours.
func smaller(t *testing.T, shot []byte) []byte {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[color.Color]int{}
	size := picture.Bounds()
	for y := range size.Dy() {
		for x := range size.Dx() {
			counts[picture.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	few := image.NewPaletted(size, colours[:min(len(colours), maxColours)])
	for y := range size.Dy() {
		for x := range size.Dx() {
			few.Set(x, y, picture.At(x, y))
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
