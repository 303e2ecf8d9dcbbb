package gossip

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func node() Node {
	return Node{
		Role: Participant, Name: "athens", Version: "v1.2.3", Run: "mnist", Round: 7, Load: 1,
		Capabilities: exchange.Capabilities{Cores: 64, Memory: 1 << 40, SamplesPerSecond: 12345.6, Datasets: []string{"digits", "mnist"}},
	}
}

func TestNodeRoundTrip(t *testing.T) {
	all := cmp.AllowUnexported(Node{})
	want := node()
	got, err := decode(want.address(), want.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, all); diff != "" {
		t.Errorf("got (+), want (-):\n%s", diff)
	}
	want.leaving = true
	if got, err := decode(want.address(), want.encode()); err != nil || !got.leaving {
		t.Errorf("got %+v (%v), want a node that leaves", got, err)
	}
}

func TestLargeNodesFit(t *testing.T) {
	n := node()
	n.Version, n.Run, n.Capabilities.Datasets = strings.Repeat("v", 256), strings.Repeat("r", 64), nil
	for i := range exchange.MaxDatasets {
		n.Capabilities.Datasets = append(n.Capabilities.Datasets, fmt.Sprintf("%064d", i))
	}
	data := n.encode()
	got, err := decode(n.address(), data)
	if err != nil || len(data) > maxMeta {
		t.Fatalf("%d bytes: %v", len(data), err)
	}
	if kept := len(got.Capabilities.Datasets); kept == 0 || !slices.Equal(got.Capabilities.Datasets, n.Capabilities.Datasets[:kept]) {
		t.Errorf("got data sets %v, want the first few", got.Capabilities.Datasets)
	}
	n.Version = strings.Repeat("v", 600)
	if got, err := decode(n.address(), n.encode()); err != nil || got.Version != "" || got.Run != n.Run {
		t.Errorf("got %+v (%v), want a node without a version", got, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	encoded := func(m *accordv1.GossipNode) []byte {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	tests := []struct {
		name, address string
		data          []byte
	}{
		{"no role", "athens", nil},
		{"an unknown role", "admin/athens", nil},
		{"no name", "participant/", nil},
		{"a path", "participant/../x", nil},
		{"not protobuf", "participant/a", []byte{0xff}},
		{"too much", "participant/a", make([]byte, maxMeta+1)},
		{"a version of two lines", "participant/a", encoded(&accordv1.GossipNode{Version: "v1\nathens"})},
		{"a run that is a path", "participant/a", encoded(&accordv1.GossipNode{Run: "../r"})},
		{"a negative round", "participant/a", encoded(&accordv1.GossipNode{Round: -1})},
		{"a negative load", "participant/a", encoded(&accordv1.GossipNode{Load: -1})},
		{"negative cores", "participant/a", encoded(&accordv1.GossipNode{Cores: -1})},
		{"a pace that is no number", "participant/a", encoded(&accordv1.GossipNode{SamplesPerSecond: math.NaN()})},
		{"a data set that is a path", "participant/a", encoded(&accordv1.GossipNode{Datasets: []string{"/x"}})},
	}
	for _, test := range tests {
		if n, err := decode(test.address, test.data); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %+v and error %v, want bad input", test.name, n, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("participant/athens", node().encode())
	f.Add("coordinator/hub", []byte(nil))
	f.Fuzz(func(t *testing.T, address string, data []byte) {
		n, err := decode(address, data)
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Fatalf("%v is not of class fault.Input", err)
			}
			return
		}
		again, err := decode(n.address(), n.encode())
		if err != nil {
			t.Fatalf("a valid node is not valid when told again: %v", err)
		}
		again.Version, again.Capabilities.Datasets = n.Version, n.Capabilities.Datasets // may not have fitted
		if diff := cmp.Diff(n, again, cmp.AllowUnexported(Node{})); diff != "" {
			t.Fatalf("told again (-want +got):\n%s", diff)
		}
	})
}

func TestTooManyNodes(t *testing.T) {
	g := &Gossip{self: Node{Role: Coordinator, Name: "hub"}, peers: map[string]Peer{}, wake: make(chan struct{}, 1)}
	e := ears{g}
	n := func(i int) *memberlist.Node { return &memberlist.Node{Name: fmt.Sprintf("participant/%d", i)} }
	for i := range maxPeers {
		if err := e.NotifyAlive(n(i)); err != nil {
			t.Fatal(err)
		}
		e.NotifyJoin(n(i))
	}
	if err := e.NotifyAlive(n(maxPeers)); err == nil {
		t.Error("one too many was let in")
	}
	if err := e.NotifyAlive(n(0)); err != nil {
		t.Errorf("one who is known: %v", err)
	}
	e.NotifyLeave(n(7))
	if err := e.NotifyAlive(n(maxPeers)); err != nil {
		t.Errorf("one in the place of one who has gone: %v", err)
	}
}

func TestLogsAreBridged(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	w := logWriter{sampled(zap.New(core))}
	for _, line := range []string{
		"[ERR] memberlist: Decrypt packet failed\n", "[WARN] memberlist: odd\n", "[INFO] memberlist: Suspect a\n", "[DEBUG] memberlist: x\n",
		"[DEBUG] " + strings.Repeat("y", 1000),
	} {
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	var got []string
	for _, entry := range logs.All() {
		text, _ := entry.ContextMap()["text"].(string)
		got = append(got, fmt.Sprintf("%v %.30s %t", entry.Level, text, len(text) <= maxLog+3))
	}
	want := []string{"warn Decrypt packet failed true", "warn odd true", "debug Suspect a true", "debug x true", "debug " + strings.Repeat("y", 30) + " true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("got (+), want (-):\n%s", diff)
	}
	for range 100 {
		_, _ = w.Write([]byte("[ERR] flood"))
	}
	if n := logs.Len(); n > 20 {
		t.Errorf("%d lines were logged of a flood", n)
	}
}
