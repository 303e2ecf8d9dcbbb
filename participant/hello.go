package participant

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// welcome is what the coordinator granted.
type welcome struct {
	protocol int
	lease    time.Duration
	load     bool      // it reads the load that renewals tell
	turns    bool      // it says when a large upload may begin
	roots    bool      // it sends roots, and reads which the site trusts
	now      time.Time // the coordinator's clock; zero: not told

	checkpoint []byte // of its journal; nil: none
	journalKey string // verifies it
}

func (p *peer) helloMessage() *accordv1.AttendRequest {
	h := p.options.hello()
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Hello{Hello: &accordv1.Hello{
		Name:           h.Name,
		Version:        h.Version,
		Protocol:       int32(h.Protocol),
		OldestProtocol: int32(h.Oldest),
		Features:       h.Features,
		Now:            timestamppb.Now(),
		Roots:          h.Roots,
		Capabilities: &accordv1.Capabilities{
			Trainer:          h.Capabilities.Trainer,
			Cores:            int32(h.Capabilities.Cores),
			Memory:           h.Capabilities.Memory,
			SamplesPerSecond: h.Capabilities.SamplesPerSecond,
			Datasets:         h.Capabilities.Datasets,
		},
		Process:    p.process,
		Federation: h.Federation,
		Checkpoint: p.state.custody.shown(),
	}}}
}

// readWelcome checks a welcome. A version that this participant does not
// speak is a final refusal.
func readWelcome(m *accordv1.AttendResponse) (welcome, error) {
	w := m.GetWelcome()
	if w == nil {
		return welcome{}, fmt.Errorf("the coordinator's first message is no welcome but %T", m.GetMessage())
	}
	protocol := int(w.GetProtocol())
	switch ours := exchange.Span(exchange.Oldest, exchange.Protocol); {
	case protocol < exchange.Oldest:
		return welcome{}, status.Errorf(codes.FailedPrecondition, "the coordinator speaks protocol %d, this participant %s: upgrade the coordinator, to a version that speaks %d",
			protocol, ours, exchange.Oldest)
	case protocol > exchange.Protocol:
		return welcome{}, status.Errorf(codes.FailedPrecondition, "the coordinator speaks protocol %d, this participant %s: upgrade this participant, to a version that speaks %d",
			protocol, ours, protocol)
	}
	lease := w.GetLease().AsDuration()
	if lease < time.Second {
		return welcome{}, fmt.Errorf("the coordinator grants a lease of %v, at least 1 s is needed", lease)
	}
	return welcome{
		protocol: protocol, lease: lease,
		load:  slices.Contains(w.GetFeatures(), exchange.FeatureLoad),
		turns: slices.Contains(w.GetFeatures(), exchange.FeatureTurns),
		roots: slices.Contains(w.GetFeatures(), exchange.FeatureRoots),
		now:   toTime(w.GetNow()),

		checkpoint: w.GetCheckpoint(), journalKey: w.GetJournalKey(),
	}, nil
}

// belongs returns an error when a coordinator without certificates serves another
// federation than the site's.
func (o Options) belongs(w *accordv1.Welcome) error {
	if o.Credential != nil || o.Federation == "" || w.GetFederation() == "" || w.GetFederation() == o.Federation {
		return nil
	}
	return elsewhere{fmt.Errorf("the coordinator at %s serves the federation %.64q, this site is of %s: "+
		"is this the right address, or should federation in one of the two configurations be another?", o.Coordinator, w.GetFederation(), o.Federation)}
}

// leaseRenewal renews the lease, and tells the load to a coordinator that reads it.
func (s *session) leaseRenewal(w welcome) *accordv1.AttendRequest {
	r := &accordv1.Renewal{}
	if w.load {
		r.Load = int32(s.worker.activity().load)
	}
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Renewal{Renewal: r}}
}

// toTime reads a time; one that is not told is zero.
func toTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
