package optim

import (
	"errors"
	"math"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

// stepTolerance is relative, for float32 against hand-derived values.
const stepTolerance = 2e-6

// Weight 1 with gradient 0.5 and then −0.25. The values are derived by hand
// from the rules in the comments.
func TestStepsMatchHandDerivedValues(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want [2]float64
	}{
		// 1 − .1·.5; + .1·.25
		{"sgd", Config{Name: SGD, LR: 0.1}, [2]float64{0.95, 0.975}},
		// v: .5, then .9·.5 − .25 = .2
		{"momentum", Config{Name: SGD, LR: 0.1, Momentum: 0.9}, [2]float64{0.95, 0.93}},
		// g + .1·w: .6, then −.25 + .094 = −.156
		{"weight decay", Config{Name: SGD, LR: 0.1, WeightDecay: 0.1}, [2]float64{0.94, 0.9556}},
		// v: .6, then .5·.6 − .25 + .094 = .144
		{"momentum and weight decay", Config{Name: SGD, LR: 0.1, Momentum: 0.5, WeightDecay: 0.1}, [2]float64{0.94, 0.9256}},
		// Step 1: m .05, v 2.5e-4, rate .1·√.001/.1; ε counts beside √v uncorrected.
		// Step 2: m .9·.05 − .1·.25 = .02, v .999·2.5e-4 + .001·.0625 = 3.1225e-4, rate .1·√.001999/.19.
		{"adam", Config{Name: Adam, LR: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3}, [2]float64{
			1 - 0.1*math.Sqrt(0.001)/0.1*0.05/(math.Sqrt(2.5e-4)+1e-3),
			1 - 0.1*math.Sqrt(0.001)/0.1*0.05/(math.Sqrt(2.5e-4)+1e-3) - 0.1*math.Sqrt(0.001999)/0.19*0.02/(math.Sqrt(3.1225e-4)+1e-3),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := New(c.cfg, 1)
			if err != nil {
				t.Fatal(err)
			}
			w := []float32{1}
			for i, g := range []float32{0.5, -0.25} {
				o.Advance()
				o.Update(0, w, []float32{g})
				if miss := math.Abs(float64(w[0]) - c.want[i]); miss > stepTolerance {
					t.Errorf("after step %d: got %v, want %v", i+1, w[0], c.want[i])
				}
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]Config{
		"unknown":              {Name: "adamw", LR: 1},
		"no name":              {LR: 1},
		"no lr":                {Name: SGD},
		"negative lr":          {Name: SGD, LR: -1},
		"lr NaN":               {Name: SGD, LR: math.NaN()},
		"lr Inf":               {Name: SGD, LR: math.Inf(1)},
		"momentum 1":           {Name: SGD, LR: 1, Momentum: 1},
		"negative momentum":    {Name: SGD, LR: 1, Momentum: -0.1},
		"decay NaN":            {Name: SGD, LR: 1, WeightDecay: math.NaN()},
		"beta for sgd":         {Name: SGD, LR: 1, Beta1: 0.9},
		"adam without epsilon": {Name: Adam, LR: 1, Beta1: 0.9, Beta2: 0.999},
		"beta2 1":              {Name: Adam, LR: 1, Beta1: 0.9, Beta2: 1, Epsilon: 1e-7},
		"momentum for adam":    {Name: Adam, LR: 1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, Momentum: 0.9},
	} {
		if _, err := New(c, 1); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want an error of class Input", name, err)
		}
	}
	for _, name := range []string{SGD, Adam} {
		if err := Defaults(name).Validate(); err != nil {
			t.Errorf("defaults of %s: %v", name, err)
		}
	}
}
