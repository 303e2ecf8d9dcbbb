package report

import (
	"cmp"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// label names what is drawn at a height of the plot.
type label struct {
	text  string
	y     float64 // in data units
	color color.Color
}

// labels writes labels to the right of the plot, each beside what it names,
// moved apart where they would overlap. A legend could hide a curve.
type labels struct {
	style text.Style
	all   []label
}

var _ plot.Plotter = (*labels)(nil)

// gap is the distance of the labels from the plot.
const gap = 2 * vg.Millimeter

// add appends a label.
func (l *labels) add(text string, y float64, c color.Color) {
	l.all = append(l.all, label{text, y, c})
}

// width is how much room the labels take.
func (l *labels) width() vg.Length {
	widest := vg.Length(0)
	for _, label := range l.all {
		widest = max(widest, l.style.Width(label.text))
	}
	return gap + widest
}

// Plot implements plot.Plotter.
func (l *labels) Plot(c draw.Canvas, p *plot.Plot) {
	_, height := p.Transforms(&c)
	slices.SortStableFunc(l.all, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	centers := make([]vg.Length, len(l.all))
	sizes := make([]vg.Length, len(l.all))
	for i, label := range l.all {
		centers[i], sizes[i] = height(label.y), l.style.Height(label.text)+vg.Points(3)
	}
	spread(centers, sizes, c.Max.Y)
	for i, label := range l.all {
		style := l.style
		style.Color, style.YAlign = label.color, text.YCenter
		c.FillText(style, vg.Point{X: c.Max.X + gap, Y: centers[i]}, label.text)
	}
}

// spread moves centers, in ascending order, apart so that things of the given
// sizes do not overlap: up first, then down from the top if they go beyond it.
func spread(centers, sizes []vg.Length, top vg.Length) {
	for i := 1; i < len(centers); i++ {
		centers[i] = max(centers[i], centers[i-1]+(sizes[i-1]+sizes[i])/2)
	}
	for i := len(centers) - 1; i >= 0; i-- {
		highest := top - sizes[i]/2
		if i+1 < len(centers) {
			highest = centers[i+1] - (sizes[i]+sizes[i+1])/2
		}
		centers[i] = min(centers[i], highest)
	}
}
