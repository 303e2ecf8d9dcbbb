package rpc

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// FuzzRunStatus: how a run stands, as any coordinator tells it, is read, and
// tells the same again.
func FuzzRunStatus(f *testing.F) {
	accuracy := 0.5
	seed, err := proto.Marshal(fromRunStatus(coordinator.RunStatus{
		Name: "r", Phase: round.Evaluating, Round: 2, Rounds: 3, Cohort: []string{"a", "b"}, Accepted: 1,
		Published: []round.Version{{Round: 1, Model: "0a", Accuracy: &accuracy}}, Counts: round.Counts{Late: 4},
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("\x10\x63")) // a phase from the future
	f.Fuzz(func(t *testing.T, data []byte) {
		var sent accordv1.Run
		if proto.Unmarshal(data, &sent) != nil {
			return
		}
		read := toRunStatus(&sent)
		again := toRunStatus(fromRunStatus(read))
		if _, known := accordv1.Phase_name[int32(sent.GetPhase())]; !known {
			again.Phase = read.Phase // has no number here
		}
		if diff := cmp.Diff(read, again, cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}

// FuzzStatus: whatever error a peer sends keeps being one.
func FuzzStatus(f *testing.F) {
	f.Add(uint32(codes.Unavailable), `connection error: desc = "transport: Error while dialing: no"`)
	f.Add(uint32(codes.Canceled), "")
	f.Add(uint32(99), "x")
	f.Fuzz(func(t *testing.T, code uint32, message string) {
		err := fromStatus(status.Error(codes.Code(code), message))
		if (err == nil) != (codes.Code(code) == codes.OK) {
			t.Errorf("code %d: got error %v", code, err)
		}
		if err != nil && errors.Is(err, status.Error(codes.OK, "")) {
			t.Error("an error that says that all is well")
		}
	})
}
