package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Environment is the variable that forces a family.
const Environment = "ACCORD_KERNEL"

// family is one implementation of everything in the package. Operands have been
// checked; slices are as long as their shapes say or longer.
type family struct {
	name      string
	mul       func(c Matrix, m, n, k int, a Strided, b Matrix, w *Walk, p *Places, add bool)
	mulColumn func(c []float32, cRow, m, k int, a []float32, aRow int, b []float32, w *Walk, p *Places, add bool)
	mulSparse func(c []float32, cRow int, places []int32, l *Lists, b []float32, bRow, rows, width int)
	collect   func(k *Collector, dy []float32, arg []uint8, width int)
	transpose func(dst []float32, dRow int, src []float32, sRow, rows, cols int)
	addBias   func(y, bias []float32, floor float32)
	floorGrad func(d, y, sum []float32, floor float32)
	maxPool   func(y []float32, arg []uint8, z []float32, p Pooling, bias []float32, floor float32)
	unpool    func(z, dy []float32, arg []uint8, p Pooling, add bool)
	dropDead  func(d []float32, arg []uint8, sum []float32)
	addScaled func(dst []float32, a float32, s []float32)
	sgd       func(w, g []float32, rate, decay float32)
	momentum  func(w, g, velocity []float32, rate, momentum, decay float32)
	adam      func(w, g, m, v []float32, r AdamRates)
	fromBytes func(dst []float32, src []uint8)
	fold      func(sum []float64, v []float32, row int, shares []float64)

	sum         func(v []float32) float32
	multiplyAdd func(n int)
	flops       int // of one step of multiplyAdd
}

var portable = family{
	name:      "portable",
	mul:       mulPortable,
	mulColumn: mulColumnPortable,
	mulSparse: mulSparsePortable,
	collect:   collectPortable,
	transpose: transposePortable,
	addBias:   addBiasPortable,
	floorGrad: floorGradPortable,
	maxPool:   maxPoolPortable,
	unpool:    unpoolPortable,
	dropDead:  dropDeadPortable,
	addScaled: addScaledPortable,
	sgd:       sgdPortable,
	momentum:  momentumPortable,
	adam:      adamPortable,
	fromBytes: fromBytesPortable,
	fold:      foldPortable,

	sum:         sumPortable,
	multiplyAdd: multiplyAddPortable,
	flops:       2 * 8,
}

// active is the family in use. It does not change once the process runs.
var active, errActive = choose(os.Getenv(Environment), families())

// choose returns the family called name, or the first, which is the fastest,
// without a name.
func choose(name string, all []*family) (*family, error) {
	if name == "" {
		return all[0], nil
	}
	i := slices.IndexFunc(all, func(f *family) bool { return f.name == name })
	if i < 0 {
		names := make([]string, len(all))
		for j, f := range all {
			names[j] = f.name
		}
		return all[0], fmt.Errorf("%s=%s: this machine has %s", Environment, name, strings.Join(names, ", "))
	}
	return all[i], nil
}

// Family names the family that computes here. A model's lineage tells it.
func Family() string { return active.name }

// Check reports a family that was forced but is not there.
func Check() error { return errActive }
