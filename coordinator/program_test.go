package coordinator

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func TestParseResult(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       string // of the error; empty: none
	}{
		{"both", `{"accuracy": 0.5, "loss": 1.5}`, ""},
		{"no loss", `{"accuracy": 1}`, ""},
		{"no accuracy", `{"loss": 1}`, "accuracy: want a number from 0 to 1"},
		{"per cent", `{"accuracy": 97.5}`, "accuracy: want a number from 0 to 1"},
		{"an unknown key", `{"accuracy": 0.5, "f1": 1}`, `unknown field "f1"`},
		{"two objects", `{"accuracy": 0.5} {"accuracy": 0.6}`, "nothing after it"},
		{"NaN, as Python writes it", `{"accuracy": NaN}`, "invalid character 'N'"},
		{"nothing", ``, "want one JSON object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := parseResult([]byte(tt.text))
			if tt.want == "" {
				if err != nil || m.Test.Accuracy < 0.5 || m.diverged() != "" {
					t.Errorf("got %+v, %v", m, err)
				}
				return
			}
			if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want bad input with %q", err, tt.want)
			}
		})
	}
}

func FuzzParseResult(f *testing.F) {
	for _, seed := range []string{`{"accuracy": 0.5, "loss": 1.5}`, `{"accuracy": 1e999}`, `[]`, `null`, `{"loss": null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseResult(data)
		if err != nil && !errors.Is(err, fault.Input) {
			t.Fatalf("%v is not of class fault.Input", err)
		}
		if err == nil && (!(m.Test.Accuracy >= 0 && m.Test.Accuracy <= 1) || math.IsInf(m.Test.Loss, 0)) {
			t.Fatalf("got %+v", m.Test)
		}
	})
}

// A loss that is no number is a result: the model diverged.
func TestResultOfADivergedModel(t *testing.T) {
	for _, text := range []string{`{"accuracy": 0.1, "loss": NaN}`, `{"loss":Infinity}`, `{"accuracy": 0.1, "loss": -Infinity}`} {
		if m, err := parseResult([]byte(text)); err != nil || m.diverged() == "" {
			t.Errorf("%s: got %+v, %v", text, m, err)
		}
	}
}
