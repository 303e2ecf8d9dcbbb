package digits

import (
	"fmt"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// siteFonts are the TrueType files that sites print with. Go Smallcaps is left
// out: its digits are those of Go Regular.
func siteFonts() [][]byte {
	return [][]byte{
		goregular.TTF, gobold.TTF, goitalic.TTF, gomedium.TTF, gomediumitalic.TTF,
		gomonobold.TTF, gomonoitalic.TTF, gomonobolditalic.TTF,
	}
}

// heldOutFonts are fonts that no site has; only test images are drawn in them.
func heldOutFonts() [][]byte { return [][]byte{gobolditalic.TTF, gomono.TTF} }

// typeface is the digits of one font as distance fields.
type typeface [10]*field

func newTypeface(ttf []byte) (*typeface, error) {
	f, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("parse font: %w", err)
	}
	var face typeface
	var buf sfnt.Buffer
	for digit := range face {
		contours, err := outline(f, &buf, rune('0'+digit))
		if err != nil {
			return nil, fmt.Errorf("outline of %d: %w", digit, err)
		}
		face[digit] = newField(contours)
	}
	return &face, nil
}

// point is a place in the plane; y points down.
type point struct{ x, y int }

// outline returns the closed contours of a character, curves cut into lines,
// in 1/64 of a font unit.
func outline(f *sfnt.Font, buf *sfnt.Buffer, r rune) ([][]point, error) {
	glyph, err := f.GlyphIndex(buf, r)
	if err != nil {
		return nil, err
	}
	ppem := fixed.I(int(f.UnitsPerEm())) // a pixel is a font unit: nothing is rounded
	segments, err := f.LoadGlyph(buf, glyph, ppem, &sfnt.LoadGlyphOptions{})
	if err != nil {
		return nil, err
	}
	var contours [][]point
	var pen point
	add := func(p point) {
		last := len(contours) - 1
		contours[last] = append(contours[last], p)
		pen = p
	}
	for _, s := range segments {
		a, b, c := toPoint(s.Args[0]), toPoint(s.Args[1]), toPoint(s.Args[2])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			contours = append(contours, nil)
			add(a)
		case sfnt.SegmentOpLineTo:
			add(a)
		case sfnt.SegmentOpQuadTo:
			addQuad(add, pen, a, b)
		default:
			return nil, fmt.Errorf("cubic curve to %v", c) // TrueType outlines have none
		}
	}
	return contours, nil
}

func toPoint(p fixed.Point26_6) point { return point{int(p.X), int(p.Y)} }

// addQuad adds the quadratic Bézier curve from p over q to r as lines.
func addQuad(add func(point), p, q, r point) {
	const n = 8
	for t := 1; t <= n; t++ {
		u := n - t
		add(point{
			(u*u*p.x + 2*u*t*q.x + t*t*r.x) / (n * n),
			(u*u*p.y + 2*u*t*q.y + t*t*r.y) / (n * n),
		})
	}
}
