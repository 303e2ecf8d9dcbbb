package model

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
)

const terse = `
input: [28, 28, 1]
layers:
  - conv2d: {filters: 32, kernel: 3, activation: relu}
  - max_pooling2d:
  - conv2d: {filters: 64, kernel: [3, 3], activation: relu}
  - max_pooling2d: {}
  - conv2d: {filters: 64, kernel: 3, activation: relu}
  - flatten:
  - dense: {units: 64, activation: relu}
  - dense: {units: 10, activation: softmax}
`

const spelledOut = `{
	"layers": [
		{"conv2d": {"kernel": [3, 3], "strides": 1, "padding": "valid", "activation": "relu", "filters": 32, "kernel_initializer": "glorot_uniform"}},
		{"max_pooling2d": {"pool": 2, "strides": [2, 2], "padding": "valid"}},
		{"conv2d": {"filters": 64, "kernel": 3, "activation": "relu"}},
		{"max_pooling2d": {"pool": [2, 2]}},
		{"conv2d": {"filters": 64, "kernel": 3, "activation": "relu"}},
		{"flatten": {}},
		{"dense": {"units": 64, "activation": "relu"}},
		{"dense": {"units": 10, "activation": "softmax"}}
	],
	"input": [28, 28, 1]
}`

// referenceHash is part of the contract of every model trained so far.
const referenceHash = "624dac941e10bfb0cd7df80697d58dc892927b74e829432e4751d55e2ac5e95a"

func TestHashDoesNotDependOnSpelling(t *testing.T) {
	for name, text := range map[string]string{"YAML, terse": terse, "JSON, spelled out": spelledOut} {
		s, err := ParseSpec(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Hash(); got != referenceHash {
			t.Errorf("%s: got %s, want %s", name, got, referenceHash)
		}
	}
	if got := Reference().Hash(); got != referenceHash {
		t.Errorf("Reference: got %s, want %s", got, referenceHash)
	}
}

func TestSpecSurvivesJSON(t *testing.T) {
	s, err := ParseSpec("terse", []byte(terse))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again Spec
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.withDefaults(), &again); diff != "" {
		t.Errorf("spec changed on the way through JSON (-want +got):\n%s", diff)
	}
	if err := json.Unmarshal([]byte(`{"input": [1, 1, 2]}`), &again); !errors.Is(err, fault.Input) {
		t.Errorf("a spec without layers: got %v, want an error of class Input", err)
	}
}

func TestReferenceContract(t *testing.T) {
	c := Reference().Contract()
	want := []TensorSpec{
		{"00.kernel", "F32", []int{3, 3, 1, 32}}, {"00.bias", "F32", []int{32}},
		{"01.kernel", "F32", []int{3, 3, 32, 64}}, {"01.bias", "F32", []int{64}},
		{"02.kernel", "F32", []int{3, 3, 64, 64}}, {"02.bias", "F32", []int{64}},
		{"03.kernel", "F32", []int{576, 64}}, {"03.bias", "F32", []int{64}},
		{"04.kernel", "F32", []int{64, 10}}, {"04.bias", "F32", []int{10}},
	}
	if diff := cmp.Diff(want, c.Tensors); diff != "" {
		t.Errorf("tensors (-want +got):\n%s", diff)
	}
	if c.Size() != 93322 || c.Bytes() != 4*93322 {
		t.Errorf("got %d elements, %d bytes, want 93322 and four times as many", c.Size(), c.Bytes())
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if got := Reference().Classes(); got != 10 {
		t.Errorf("got %d classes, want 10", got)
	}
}

func TestReferenceForOtherImages(t *testing.T) {
	s, err := ReferenceFor(32, 40, 3, 7)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Classes(); got != 7 {
		t.Errorf("got %d classes, want 7", got)
	}
	for name, size := range map[string][4]int{
		"small": {17, 28, 1, 10}, "one class": {28, 28, 1, 1}, "no channel": {28, 28, 0, 10}, "huge": {1 << 40, 1 << 40, 1, 10},
	} {
		if _, err := ReferenceFor(size[0], size[1], size[2], size[3]); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want an error of class Input", name, err)
		}
	}
	if _, err := ReferenceFor(18, 18, 1, 2); err != nil {
		t.Errorf("18×18: %v", err)
	}
}

func TestParseSpecRefuses(t *testing.T) {
	const in, end = "input: [28, 28, 1]\nlayers:\n", "- flatten: {}\n- dense: {units: 10, activation: softmax}\n"
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", in + "- conv2d: {filters: 3, kernel: 3, activaton: relu}\n" + end, `f.yaml:3: layer 1 (conv2d): unknown key "activaton"`},
		{"unknown layer", in + "- conv3d: {filters: 3}\n", `f.yaml:3: layer 1: unknown key "conv3d"`},
		{"unknown top key", "inputs: [1, 1, 2]\n", `f.yaml:1: a spec: unknown key "inputs"`},
		{"key twice", in + "- dense:\n    units: 3\n    units: 4\n", `f.yaml:5:`},
		{"key missing", in + "- conv2d: {filters: 3}\n", `f.yaml:3: layer 1 (conv2d): key "kernel" is missing`},
		{"two kinds", in + "- flatten: {}\n  dense: {units: 3}\n", `f.yaml:4: layer 1 has a second kind, dense`},
		{"no kind", in + "- {}\n", `f.yaml:3: layer 1 is empty`},
		{"not a number", in + "- dense: {units: many}\n", `f.yaml:3: units is many`},
		{"negative", in + "- dense: {units: -1}\n", `f.yaml:3: units is -1`},
		{"zero", in + "- conv2d: {filters: 1, kernel: [0, 3]}\n", `f.yaml:3: kernel is 0`},
		{"fraction", in + "- dense: {units: 1.5}\n", `f.yaml:3: units is 1.5`},
		{"overflow", in + "- dense: {units: 99999999999999999999999}\n", `f.yaml:3: units is`},
		{"three strides", in + "- conv2d: {filters: 1, kernel: 3, strides: [1, 1, 1]}\n", `f.yaml:3: strides must be`},
		{"bad padding", in + "- conv2d: {filters: 1, kernel: 3, padding: full}\n" + end, `f.yaml:3: layer 1 (conv2d): padding "full" is unknown`},
		{"bad activation", in + "- flatten: {}\n- dense: {units: 1, activation: tanh}\n", `f.yaml:4: layer 2 (dense): activation "tanh" is unknown`},
		{"bad initializer", in + "- flatten: {}\n- dense: {units: 1, kernel_initializer: zeros}\n", `f.yaml:4: layer 2 (dense): kernel_initializer "zeros" is unknown`},
		{"kernel too large", in + "- conv2d: {filters: 1, kernel: [3, 29]}\n" + end, `f.yaml:3: layer 1 (conv2d): a window of 3×29 does not fit into an input of 28×28×1`},
		{"pool too large", in + "- conv2d: {filters: 1, kernel: 27}\n- max_pooling2d: {pool: 3}\n" + end, `f.yaml:3: layer 1 (conv2d): with layer 2 (max_pooling2d) on top`},
		{"pool of too many", in + "- max_pooling2d: {pool: 17}\n" + end, `at most 255 positions`},
		{"dense on an image", in + "- dense: {units: 10, activation: softmax}\n", `f.yaml:3: layer 1 (dense): needs a flat input, got 28×28×1`},
		{"no softmax", in + "- flatten: {}\n- dense: {units: 10}\n", `f.yaml:4: layer 2 (dense): the network must end in softmax`},
		{"softmax in between", in + "- flatten: {}\n- dense: {units: 10, activation: softmax}\n- dense: {units: 10, activation: softmax}\n", `f.yaml:5: layer 3 (dense): softmax must be the last step`},
		{"softmax of an image", in + "- conv2d: {filters: 3, kernel: 3, activation: softmax}\n", `softmax needs a vector`},
		{"one class", in + "- flatten: {}\n- dense: {units: 1, activation: softmax}\n", `at least 2 classes`},
		{"no weights", "input: [2, 2, 2]\nlayers:\n- max_pooling2d: {pool: 2}\n- flatten: {}\n- activation: softmax\n", `nothing to train`},
		{"nothing to train", "input: [1, 1, 4]\nlayers:\n- activation: softmax\n", `nothing to train`},
		{"no layers", "input: [28, 28, 1]\nlayers: []\n", `layers: got 0`},
		{"no input", "layers: []\n", `key "input" is missing`},
		{"short input", "input: [28, 28]\nlayers: []\n", `input must be [height, width, channels]`},
		{"huge input", "input: [32768, 32768, 32768]\nlayers:\n" + end, `more than 16777216 elements`},
		{"huge layer", in + "- flatten: {}\n- dense: {units: 32768}\n- dense: {units: 32768}\n" + end, `32768×32768 weights are more than`},
		{"huge window", "input: [4096, 4096, 1]\nlayers:\n- conv2d: {filters: 1, kernel: 1000}\n" + end, `are too many`},
		{"huge pool", "input: [2048, 2048, 1]\nlayers:\n- max_pooling2d: {pool: 15, strides: 1}\n" + end, `are too many`},
		{"huge pool on top", "input: [2048, 2048, 1]\nlayers:\n- conv2d: {filters: 1, kernel: 1}\n- max_pooling2d: {pool: 15, strides: 1}\n" + end, `are too many`},
		{"huge border", "input: [1, 1, 2]\nlayers:\n- conv2d: {filters: 1, kernel: 4097, padding: same}\n" + end, `are too many`},
		{"huge frame", in + "- conv2d: {filters: 1, kernel: 1}\n- conv2d: {filters: 1, kernel: 1200, strides: 28, padding: same}\n" + end, `more than 16777216 elements`},
		{"huge padded weights", "input: [1500, 1500, 3]\nlayers:\n- flatten: {}\n- dense: {units: 2, activation: softmax}\n", `counted as in memory`},
		{"huge sum", "input: [1024, 1024, 1]\nlayers:\n" + strings.Repeat("- conv2d: {filters: 4, kernel: 1}\n", 5) + end, `together have more than`},
		{"too many layers", in + strings.Repeat("- activation: relu\n", 257) + end, `259 layers are above the limit`},
		{"empty file", "", `f.yaml: want one document`},
		{"two documents", terse + "---\n" + terse, `f.yaml: want one document`},
		{"a list", "- 1\n", `f.yaml:1: a spec must be a map`},
		{"syntax", "input: [", `f.yaml:1:`},
		{"alias", "input: &a [1, 1, 2]\nlayers: *a\n", `f.yaml:1: &a: anchors and aliases are not supported; write the value itself`},
		{"too deep", "input:\n  " + strings.Repeat("[", 33), `f.yaml:2: more than 32 brackets`},
		{"too long", strings.Repeat("# x\n", 1<<17), `above the limit`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseSpec("f.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
			if !errors.Is(err, fault.Input) {
				t.Errorf("%v is not of class Input", err)
			}
		})
	}
}

func TestInitDistributions(t *testing.T) {
	s, err := ParseSpec("init", []byte(`
input: [5, 5, 20]
layers:
  - conv2d: {filters: 30, kernel: [3, 2]}
  - conv2d: {filters: 40, kernel: 2, kernel_initializer: he_uniform}
  - flatten: {}
  - dense: {units: 50, kernel_initializer: he_normal, activation: softmax}
`))
	if err != nil {
		t.Fatal(err)
	}
	p := s.Init(rng.New(1, "init"))
	fanIn := []float64{3 * 2 * 20, 2 * 2 * 30, 2 * 3 * 40}
	glorot := math.Sqrt(6 / (fanIn[0] + 3*2*30))
	for i, want := range []struct{ limit, deviation float64 }{
		{glorot, glorot / math.Sqrt(3)},
		{math.Sqrt(6 / fanIn[1]), math.Sqrt(2 / fanIn[1])},
		{2 * math.Sqrt(2/fanIn[2]) / truncatedDeviation, math.Sqrt(2 / fanIn[2])},
	} {
		kernel, bias := p.Tensors()[2*i], p.Tensors()[2*i+1]
		top, sum, squares := 0.0, 0.0, 0.0
		for _, v := range kernel.Data {
			top = max(top, math.Abs(float64(v)))
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		n := float64(len(kernel.Data))
		if top > want.limit*(1+1e-6) || top < 0.98*want.limit {
			t.Errorf("%s: largest %v, want just below %v", kernel.Name, top, want.limit)
		}
		if got := math.Sqrt(squares / n); math.Abs(got/want.deviation-1) > 0.05 {
			t.Errorf("%s: deviation %v, want %v", kernel.Name, got, want.deviation)
		}
		if mean := sum / n; math.Abs(mean) > 4*want.deviation/math.Sqrt(n) {
			t.Errorf("%s: mean %v, want 0", kernel.Name, mean)
		}
		for _, v := range bias.Data {
			if v != 0 {
				t.Fatalf("%s: got %v, want 0", bias.Name, v)
			}
		}
	}
	if again := s.Init(rng.New(1, "init")); again.Digest() != p.Digest() {
		t.Error("the same stream drew other weights")
	}
}

// FuzzParseSpec: whatever is accepted can be built, hashed and read again.
func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(terse))
	f.Add([]byte(spelledOut))
	f.Add([]byte("input: [1, 1, 2]\nlayers: [{dense: {units: 2, activation: softmax}}]"))
	f.Add([]byte("input: [9, 9, 1]\nlayers: [{average_pooling2d: {pool: [2, 3], padding: same}}, {flatten: }, {activation: relu}, {dense: {units: 2}}, {activation: softmax}]"))
	f.Add([]byte("input: &x [*x]\n"))
	if paths, err := filepath.Glob("../configs/*.yaml"); err == nil {
		for _, path := range paths {
			if data, err := os.ReadFile(path); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSpec("fuzz", data)
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Fatalf("%v is not of class Input", err)
			}
			return
		}
		if n := s.Contract().Size(); n > maxWeights || s.Classes() < 2 {
			t.Fatalf("accepted %d parameters and %d classes", n, s.Classes())
		}
		text, err := s.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSpec("again", text)
		if err != nil {
			t.Fatalf("canonical form %s: %v", text, err)
		}
		if again.Hash() != s.Hash() {
			t.Fatalf("hash of %s changed", text)
		}
	})
}
