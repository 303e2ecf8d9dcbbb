package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{2, 1}, 1.5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 9, 2}, 3}} {
		before := append([]float64{}, c.values...)
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v): got %g, want %g", c.values, got, c.want)
		}
		if diff := cmp.Diff(before, c.values); diff != "" {
			t.Errorf("median changed its argument (-want +got):\n%s", diff)
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		bar            bar
		figure         float64
		text           string
		holds, stretch bool
	}{
		{bar{4, 6, times}, 3.99, "≥ 4× (stretch 6×)", false, false},
		{bar{4, 6, times}, 4, "≥ 4× (stretch 6×)", true, false},
		{bar{2.5, 3.3, times}, 3.3, "≥ 2.5× (stretch 3.3×)", true, true},
		{bar{.85, 0, percent}, .9, "≥ 85 %", true, false},
		{bar{700, 1500, rate}, 1600, "≥ 700 samples/s (stretch 1500 samples/s)", true, true},
	} {
		want := page.Row{What: "w", Bar: c.text, Holds: c.holds, Stretch: c.stretch}
		if diff := cmp.Diff(want, c.bar.judge(page.Row{What: "w"}, c.figure)); diff != "" {
			t.Errorf("%v at %g (-want +got):\n%s", c.bar, c.figure, diff)
		}
	}
}

// The peer that counts is the one that ours beats by least in its own turns, not
// the one that happened to have the highest figure while ours was fast, too.
func TestAgainst(t *testing.T) {
	slow := duel{peer: "PyTorch 1"}
	slow.add(90, 10, 9)
	slow.add(80, 10, 8)
	slow.add(99, 11, 9)
	lucky := duel{peer: "PyTorch 1, tuned"}
	lucky.add(100, 20, 5)
	lucky.add(120, 20, 6)
	lucky.add(90, 20, 4.5)
	close := duel{peer: "Keras 3"}
	close.add(60, 15, 4)
	close.add(68, 17, 4)
	close.add(85, 17, 5)
	got := against(page.Row{What: "steps", Kernel: "avx2"}, bar{4, 6, times}, []duel{slow, lucky, close}, rate, 0)
	want := page.Row{
		What: "steps", Kernel: "avx2", Bar: "≥ 4× (stretch 6×)", Holds: true, Figure: "68 samples/s",
		Peer: "Keras 3: 17 samples/s; PyTorch 1, tuned: 20 samples/s; PyTorch 1: 10 samples/s", Ratio: "4.0× (4.0 to 5.0)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("row differs (-want +got):\n%s", diff)
	}
}

func TestSpreadOfOne(t *testing.T) {
	if got := spread([]float64{3.14}); got != "3.1×" {
		t.Errorf("got %q, want 3.1×", got)
	}
}

func TestFigure(t *testing.T) {
	got := figure(page.Row{What: "fold"}, bar{.6, .9, percent}, []float64{.7, .5, .6})
	if diff := cmp.Diff(page.Row{What: "fold", Bar: "≥ 60 % (stretch 90 %)", Figure: "60.0 %", Holds: true}, got); diff != "" {
		t.Errorf("row differs (-want +got):\n%s", diff)
	}
}
