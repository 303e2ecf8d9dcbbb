package rpc

import (
	"encoding/hex"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// readHello reads and checks how a participant presents itself. What it says
// that this binary does not know is not there.
func readHello(m *accordv1.AttendRequest) (exchange.Hello, error) {
	h := m.GetHello()
	if h == nil {
		return exchange.Hello{}, fault.Inputf("the first message must be a hello, got %T", m.GetMessage())
	}
	hello := exchange.Hello{
		Name:         h.GetName(),
		Version:      h.GetVersion(),
		Protocol:     int(h.GetProtocol()),
		Oldest:       int(h.GetOldestProtocol()),
		Features:     h.GetFeatures(),
		Capabilities: toCapabilities(h.GetCapabilities()),
		Process:      hex.EncodeToString(h.GetProcess()),
		Now:          toTime(h.GetNow()),
		Checkpoint:   h.GetCheckpoint(),
		Federation:   h.GetFederation(),
		Roots:        h.GetRoots(),
	}
	return hello, hello.Validate()
}

func toCapabilities(c *accordv1.Capabilities) exchange.Capabilities {
	return exchange.Capabilities{
		Trainer:          c.GetTrainer(),
		Cores:            int(c.GetCores()),
		Memory:           c.GetMemory(),
		SamplesPerSecond: c.GetSamplesPerSecond(),
		Datasets:         c.GetDatasets(),
	}
}

// welcome answers a hello that was found valid.
func (f *federation) welcome(h exchange.Hello) *accordv1.AttendResponse {
	protocol, _ := h.Agree() // a valid hello agrees
	features := append(exchange.Features(), exchange.FeatureTurns)
	if f.options.Keyring != nil {
		features = append(features, exchange.FeatureGossip)
	}
	if f.anchors != nil {
		features = append(features, exchange.FeatureRoots)
	}
	welcome := &accordv1.Welcome{
		Version:  f.options.Version,
		Protocol: int32(protocol),
		Lease:    durationpb.New(f.options.Lease),
		Features: features,
		Now:      timestamppb.Now(),
	}
	welcome.Checkpoint, welcome.JournalKey = f.coordinator.Checkpoint()
	if f.options.Security == nil {
		welcome.Federation = f.options.Federation
	}
	return &accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{Welcome: welcome}}
}
