package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"testing"
)

func pointer(v float64) *float64 { return &v }

// learning is what a run of n rounds may look like.
func learning(n int) []Round {
	var rounds []Round
	for i := range n {
		a := 0.965 - 0.5*math.Exp(-float64(i+1)/2)
		rounds = append(rounds, Round{Round: i + 1, Accuracy: &a, Loss: pointer(1 - a), Sites: 10, Samples: 60_000, TrainSeconds: 1.5, Seconds: 2 * float64(i+1)})
	}
	return rounds
}

func federation() Curves {
	c := Curves{Title: "digits: ten sites", Unit: "round", Label: "federated", Rounds: learning(8)}
	for i := range 10 {
		c.Baselines = append(c.Baselines, Baseline{Name: "site", Accuracy: 0.71 + 0.015*float64(i), Site: true})
	}
	c.Baselines = append(c.Baselines, Baseline{Name: "all data in one place", Accuracy: 0.972})
	return c
}

func TestCurvesAreTheSameEveryTime(t *testing.T) {
	for name, write := range map[string]func(Curves, io.Writer) error{"SVG": Curves.WriteSVG, "PNG": Curves.WritePNG} {
		var first, second bytes.Buffer
		if err := errors.Join(write(federation(), &first), write(federation(), &second)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: two drawings of the same curves differ", name)
		}
	}
}

func TestCurvesAreWellFormed(t *testing.T) {
	validated := federation()
	for i := range validated.Rounds {
		validated.Rounds[i].ValAccuracy = pointer(*validated.Rounds[i].Accuracy - 0.01)
	}
	for name, c := range map[string]Curves{
		"federation":     federation(),
		"validation":     validated,
		"one round":      {Unit: "epoch", Label: "trained", Rounds: learning(1)},
		"many rounds":    {Unit: "round", Label: "federated", Rounds: learning(500)},
		"flat at 100 %":  {Unit: "round", Label: "federated", Rounds: []Round{{Round: 1, Accuracy: pointer(1)}, {Round: 2, Accuracy: pointer(1)}}},
		"chance to 0 %":  {Unit: "round", Label: "federated", Rounds: []Round{{Round: 1, Accuracy: pointer(0)}}},
		"some unknown":   {Unit: "round", Label: "federated", Rounds: []Round{{Round: 1}, {Round: 2, Accuracy: pointer(0.5)}}},
		"odd characters": {Title: `a < b & "c" é`, Unit: "round", Label: "<svg>", Rounds: learning(2)},
	} {
		var svg, picture bytes.Buffer
		if err := errors.Join(c.WriteSVG(&svg), c.WritePNG(&picture)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := checkXML(&svg); err != nil {
			t.Errorf("%s: the SVG is not XML: %v", name, err)
		}
		if image, err := png.Decode(&picture); err != nil || image.Bounds().Dx() < 1900 {
			t.Errorf("%s: the PNG is broken or small: %v", name, err)
		}
	}
	if !(Curves{Rounds: []Round{{Round: 1}}}).Empty() {
		t.Error("a run without any accuracy has curves")
	}
}

func checkXML(r io.Reader) error {
	d := xml.NewDecoder(r)
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
