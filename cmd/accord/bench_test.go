package main

import (
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/kernel"
)

func TestBenchTrain(t *testing.T) {
	var r benchTrain
	decode(t, mustAccord(t, "bench", "train", "--threads", "2", "--batch", "7", "--seconds", "0.01", "--json"), &r)
	// Reference network, training: 26²·9·32, 10²·288·64, 9·576·64, 576·64 and
	// 64·10 products, three times but for the first layer.
	const needed = 2 * (2*26*26*9*32 + 3*(100*288*64+9*576*64+576*64+640))
	if r.Kernel != kernel.Family() || r.Threads != 2 || r.Batch != 7 || r.FLOPsPerSample != needed || r.AllocationsPerStep > 1 {
		t.Errorf("got %+v, want %d operations a sample and no allocations", r, needed)
	}
	if min(r.SamplesPerSecond, r.DenseSamplesPerSecond, r.PeakGFLOPS, r.EvaluationsPerSecond, r.ShareOfPeak) <= 0 {
		t.Errorf("a rate is missing: %+v", r)
	}
}

func TestBenchAggregate(t *testing.T) {
	out := mustAccord(t, "bench", "aggregate", "--updates", "3", "--parameters", "100001", "--threads", "2", "--seconds", "0.01")
	for _, want := range []string{"3 updates of 391 KiB", "fold", "reading alone"} {
		if !strings.Contains(out, want) {
			t.Errorf("got %q, want %q in it", out, want)
		}
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"train", "--batch", "0"}, {"train", "--threads", "-1"}, {"train", "--seconds", "NaN"}, {"train", "--model", "no-such-file"},
		{"aggregate", "--updates", "0"}, {"aggregate", "--parameters", "9000000000000000000"}, {"aggregate", "--seconds", "-1"},
	} {
		if r := accord(t, append([]string{"bench"}, args...)...); r.code != exitInput {
			t.Errorf("%q: got exit code %d, want %d\n%s", args, r.code, exitInput, r.stderr)
		}
	}
}
