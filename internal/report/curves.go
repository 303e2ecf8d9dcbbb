package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/accord-fl/accord/internal/quote"
)

// Curves is a picture of the accuracy by round.
type Curves struct {
	Title     string
	Unit      string // "round" or "epoch"
	Label     string // of the curve, such as "federated"
	Rounds    []Round
	Baselines []Baseline
}

// Baseline is an accuracy to compare with.
type Baseline struct {
	Name     string
	Accuracy float64 // on the test set
	// Site marks the model of one site alone; all of those are drawn together.
	Site bool
}

// Size and resolution of the pictures: 16 by 9 cm, 2000 pixels wide as PNG.
const (
	curvesWidth  = 16 * vg.Centimeter
	curvesHeight = 9 * vg.Centimeter
	curvesDPI    = 318
	margin       = 3 * vg.Millimeter
)

// Empty reports whether there is nothing to draw: no round was measured.
func (c Curves) Empty() bool { return len(points(c.Rounds, testAccuracy)) == 0 }

// WriteSVG draws the picture as SVG.
func (c Curves) WriteSVG(w io.Writer) error {
	canvas := vgsvg.NewWith(vgsvg.UseWH(curvesWidth, curvesHeight))
	if err := c.draw(canvas); err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return fmt.Errorf("draw curves: %w", err)
	}
	// Where Liberation Sans is not installed, fonts of the same widths are.
	svg := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	_, err := w.Write(svg)
	return err
}

// WritePNG draws the picture as PNG.
func (c Curves) WritePNG(w io.Writer) error {
	canvas := vgimg.NewWith(vgimg.UseWH(curvesWidth, curvesHeight), vgimg.UseDPI(curvesDPI))
	if err := c.draw(canvas); err != nil {
		return err
	}
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// draw puts the picture together, what is behind first.
func (c Curves) draw(canvas vg.CanvasSizer) error {
	c = c.quoted()
	p := newPlot(c.Title, c.Unit)
	names := &labels{style: labelStyle()}
	first, last := c.span()
	for _, add := range []func() error{
		func() error { return addSites(p, names, c.Baselines, first, last) },
		func() error { return addBaselines(p, names, c.Baselines, first, last) },
		func() error {
			return addCurve(p, names, c.Label+",\nvalidation", points(c.Rounds, valAccuracy), draw.LineStyle{Color: purple, Width: vg.Points(1.2), Dashes: dashes(3, 2)})
		},
		func() error {
			return addCurve(p, names, c.Label, points(c.Rounds, testAccuracy), draw.LineStyle{Color: blue, Width: vg.Points(1.8)})
		},
	} {
		if err := add(); err != nil {
			return fmt.Errorf("draw curves: %w", err)
		}
	}
	p.Add(names)
	p.X.Min, p.X.Max = first, last
	pad := max(0.08*(p.Y.Max-p.Y.Min), 2.5)
	p.Y.Min, p.Y.Max = max(0, p.Y.Min-pad), min(100, p.Y.Max+pad)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin-names.width(), margin, -margin))
	return nil
}

// The bounds of what stands in a picture, in bytes: a longer text would leave no
// room for the curves.
const (
	maxTitle = 120
	maxLabel = 40
)

// quoted returns c with texts that can be drawn. That markup in them is none is the
// canvas's part.
func (c Curves) quoted() Curves {
	c.Title, c.Unit, c.Label = quote.Cut(c.Title, maxTitle), quote.Cut(c.Unit, maxLabel), quote.Cut(c.Label, maxLabel)
	c.Baselines = slices.Clone(c.Baselines)
	for i := range c.Baselines {
		c.Baselines[i].Name = quote.Cut(c.Baselines[i].Name, maxLabel)
	}
	return c
}

// addSites draws the range of the models of single sites as a band.
func addSites(p *plot.Plot, names *labels, baselines []Baseline, first, last float64) error {
	low, high, n := math.Inf(1), math.Inf(-1), 0
	for _, b := range baselines {
		if b.Site {
			low, high, n = min(low, 100*b.Accuracy), max(high, 100*b.Accuracy), n+1
		}
	}
	if n == 0 {
		return nil
	}
	band, err := plotter.NewPolygon(plotter.XYs{{X: first, Y: low}, {X: last, Y: low}, {X: last, Y: high}, {X: first, Y: high}})
	if err != nil {
		return err
	}
	band.Color, band.LineStyle.Width = sand, 0
	p.Add(band)
	names.add(fmt.Sprintf("%d sites, each alone\n%.1f to %.1f %%", n, low, high), (low+high)/2, brown)
	return nil
}

// addBaselines draws every other baseline as a dashed line.
func addBaselines(p *plot.Plot, names *labels, baselines []Baseline, first, last float64) error {
	colors := []color.Color{vermillion, green}
	i := 0
	for _, b := range baselines {
		if b.Site {
			continue
		}
		y := 100 * b.Accuracy
		line, err := plotter.NewLine(plotter.XYs{{X: first, Y: y}, {X: last, Y: y}})
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: colors[i%len(colors)], Width: vg.Points(1.2), Dashes: dashes(5, 3)}
		p.Add(line)
		names.add(fmt.Sprintf("%s\n%.1f %%", b.Name, y), y, colors[i%len(colors)])
		i++
	}
	return nil
}

// addCurve draws one curve and names it at its end.
func addCurve(p *plot.Plot, names *labels, name string, xys plotter.XYs, style draw.LineStyle) error {
	if len(xys) == 0 {
		return nil
	}
	line, dots, err := plotter.NewLinePoints(xys)
	if err != nil {
		return err
	}
	line.LineStyle = style
	dots.GlyphStyle = draw.GlyphStyle{Color: style.Color, Radius: dotRadius(len(xys)), Shape: draw.CircleGlyph{}}
	p.Add(line, dots)
	end := xys[len(xys)-1].Y
	names.add(fmt.Sprintf("%s\n%.1f %%", name, end), end, style.Color)
	return nil
}

func testAccuracy(r Round) *float64 { return r.Accuracy }
func valAccuracy(r Round) *float64  { return r.ValAccuracy }

// points lists, in percent, the rounds of which the value is known.
func points(rounds []Round, of func(Round) *float64) plotter.XYs {
	var xys plotter.XYs
	for _, r := range rounds {
		if v := of(r); v != nil {
			xys = append(xys, plotter.XY{X: float64(r.Round), Y: 100 * *v})
		}
	}
	return xys
}

// span returns where the horizontal axis begins and ends.
func (c Curves) span() (first, last float64) {
	first, last = math.Inf(1), math.Inf(-1)
	for _, r := range c.Rounds {
		first, last = min(first, float64(r.Round)), max(last, float64(r.Round))
	}
	if first >= last { // one round: in the middle
		return first - 1, last + 1
	}
	return first, last
}

// dotRadius keeps the dots of many rounds apart.
func dotRadius(n int) vg.Length {
	if n > 50 {
		return 0
	}
	return vg.Points(2.2)
}

func dashes(on, off float64) []vg.Length { return []vg.Length{vg.Points(on), vg.Points(off)} }
