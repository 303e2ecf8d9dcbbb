package train

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/internal/testdata"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
)

// readMNIST returns the first n samples of a part ("train" or "t10k").
func readMNIST(t testing.TB, part string, n int) *samples {
	t.Helper()
	read := func(kind string, skip, size int) []byte {
		f, err := os.Open(filepath.Join(testdata.Dir(t, "data/mnist"), part+kind+"-ubyte.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, skip+n*size)
		if _, err := io.ReadFull(z, data); err != nil {
			t.Fatal(err)
		}
		return data[skip:]
	}
	d := &samples{shape: [3]int{28, 28, 1}, classes: 10, x: make([]float32, n*784), y: make([]int32, n)}
	for i, v := range read("-images-idx3", 16, 784) {
		d.x[i] = float32(v) / 255
	}
	for i, v := range read("-labels-idx1", 8, 1) {
		d.y[i] = int32(v)
	}
	return d
}

// A tenth of the data, once: enough to see that the engine learns.
func TestReferenceNetworkLearnsMNIST(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: takes seconds")
	}
	spec := model.Reference()
	e := newEngine(t, spec, 2)
	p := spec.Init(rng.New(1, "init"))
	plan := Plan{Epochs: 1, Batch: 32, Shuffle: true, Optimizer: optim.Defaults(optim.Adam)}
	if _, err := e.Fit(context.Background(), p, readMNIST(t, "train", 6000), plan, rng.New(1, "shuffle"), nil); err != nil {
		t.Fatal(err)
	}
	ev, err := e.Evaluate(context.Background(), p, readMNIST(t, "t10k", 2000))
	if err != nil {
		t.Fatal(err)
	}
	if ev.Accuracy < 0.9 {
		t.Errorf("accuracy after one epoch on 6,000 samples: got %.3f, want at least 0.9", ev.Accuracy)
	}
}

// The whole training step of the reference network on MNIST.
func BenchmarkStep(b *testing.B) {
	spec := model.Reference()
	for _, c := range []struct {
		name           string
		batch, threads int
	}{{"batch=32/threads=1", 32, 1}, {"batch=32/threads=2", 32, 2}, {"batch=10/threads=1", 10, 1}} {
		b.Run(c.name, func(b *testing.B) { benchmarkStep(b, spec, c.batch, c.threads) })
	}
}

func benchmarkStep(b *testing.B, spec *model.Spec, batch, threads int) {
	d := readMNIST(b, "train", 3000)
	e := newEngine(b, spec, threads)
	p := spec.Init(rng.New(1, "init"))
	plan := Plan{Epochs: 1, Batch: batch, Shuffle: true, Optimizer: optim.Config{Name: optim.SGD, LR: 0.05}}
	for b.Loop() {
		if _, err := e.Fit(context.Background(), p, d, plan, rng.New(1, "shuffle"), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(d.Len()*b.N)/b.Elapsed().Seconds(), "samples/s")
}
