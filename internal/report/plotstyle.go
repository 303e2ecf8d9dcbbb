package report

import (
	"image/color"
	"math"
	"strconv"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours that people who see fewer of them can still tell apart (Okabe and
// Ito, "Color Universal Design", 2008), and shades of them.
var (
	blue       = color.NRGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}
	vermillion = color.NRGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xFF}
	green      = color.NRGBA{R: 0x00, G: 0x9E, B: 0x73, A: 0xFF}
	purple     = color.NRGBA{R: 0xB0, G: 0x5C, B: 0x8C, A: 0xFF}
	sand       = color.NRGBA{R: 0xF6, G: 0xE6, B: 0xC0, A: 0xFF}
	brown      = color.NRGBA{R: 0x96, G: 0x68, B: 0x00, A: 0xFF}
	ink        = color.NRGBA{R: 0x33, G: 0x33, B: 0x33, A: 0xFF}
	hairline   = color.NRGBA{R: 0xE0, G: 0xE0, B: 0xE0, A: 0xFF}
)

// setFont gives style the house typeface in the given size.
func setFont(style *text.Style, points float64, weight xfont.Weight) {
	style.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(points), Weight: weight}
	style.Color = ink
}

// labelStyle is the text style of labels beside the plot.
func labelStyle() text.Style {
	style := plot.New().Legend.TextStyle // brings the text handler along
	setFont(&style, 8, xfont.WeightBold)
	return style
}

// newPlot returns an empty plot in the house style.
func newPlot(title, unit string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = unit, "test accuracy (%)"
	setFont(&p.Title.TextStyle, 11, xfont.WeightBold)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		setFont(&axis.Label.TextStyle, 9, xfont.WeightNormal)
		setFont(&axis.Tick.Label, 8, xfont.WeightNormal)
		axis.Label.Padding = vg.Points(4)
		axis.Color, axis.Tick.Color = ink, ink
		axis.Tick.Length = vg.Points(4)
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(wholeTicks), plot.TickerFunc(tidyTicks)
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	grid.Horizontal = draw.LineStyle{Color: hairline, Width: vg.Points(0.6)}
	p.Add(grid)
	return p
}

// wholeTicks marks at most about ten whole numbers.
func wholeTicks(low, high float64) []plot.Tick {
	return ticks(low, high, max(1, tidy((high-low)/10)))
}

// tidyTicks marks at most eight values.
func tidyTicks(low, high float64) []plot.Tick { return ticks(low, high, tidy((high-low)/8)) }

// tidy returns the smallest number that is at least v and 1, 2 or 5 times a
// power of ten.
func tidy(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digit := range []float64{1, 2, 5} {
		if digit*power >= v {
			return digit * power
		}
	}
	return 10 * power
}

func ticks(low, high, step float64) []plot.Tick {
	var marks []plot.Tick
	for i := int(math.Ceil(low / step)); float64(i)*step <= high+1e-9; i++ {
		value := float64(i) * step
		marks = append(marks, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'g', 6, 64)})
	}
	return marks
}
