package rpc

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

const (
	memberPage = 500         // members in one message, so that thousands fit
	memberLook = time.Second // between two looks of a watch
)

// memberKey names a member.
type memberKey struct {
	role coordinator.Role
	name string
}

// ListMembers tells who belongs to the federation, a page at a time.
func (a *admin) ListMembers(_ context.Context, r *accordv1.ListMembersRequest) (*accordv1.ListMembersResponse, error) {
	response := &accordv1.ListMembersResponse{}
	for _, m := range a.members() {
		after := string(m.Role) > r.GetAfterRole() || string(m.Role) == r.GetAfterRole() && m.Name > r.GetAfterName()
		if !after {
			continue
		}
		if len(response.Members) == memberPage {
			response.More = true
			break
		}
		response.Members = append(response.Members, fromMember(m))
	}
	return response, nil
}

// WatchMembers tells of all members, and then of changes.
func (a *admin) WatchMembers(_ *accordv1.WatchMembersRequest, stream accordv1.AdminService_WatchMembersServer) error {
	told := map[memberKey]*accordv1.Member{}
	look := time.NewTicker(memberLook)
	defer look.Stop()
	for first := true; ; first = false {
		changes := memberChanges(told, a.members())
		if first || len(changes.GetMembers())+len(changes.GetRemoved()) > 0 {
			if err := sendMembers(stream, changes); err != nil {
				return err
			}
		}
		select {
		case <-look.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-a.stopping:
			return errStopping
		}
	}
}

// ReleaseSite gives the place of a site away from the process that has it.
func (a *admin) ReleaseSite(ctx context.Context, r *accordv1.ReleaseSiteRequest) (*accordv1.ReleaseSiteResponse, error) {
	released, err := a.runs.Release(ctx, r.GetSite(), callerOf(ctx).identity.Name)
	if err != nil {
		return nil, err
	}
	return &accordv1.ReleaseSiteResponse{Released: fromRival(&released)}, nil
}

// memberChanges returns how now differs from what was told, and notes it as
// told.
func memberChanges(told map[memberKey]*accordv1.Member, now []coordinator.Member) *accordv1.WatchMembersResponse {
	changes := &accordv1.WatchMembersResponse{}
	here := make(map[memberKey]bool, len(now))
	for _, m := range now {
		key, message := memberKey{m.Role, m.Name}, fromMember(m)
		here[key] = true
		if old, ok := told[key]; !ok || !proto.Equal(old, message) {
			told[key] = message
			changes.Members = append(changes.Members, message)
		}
	}
	for key := range told {
		if !here[key] {
			delete(told, key)
			changes.Removed = append(changes.Removed, &accordv1.Member{Role: string(key.role), Name: key.name})
		}
	}
	return changes
}

// sendMembers tells of changes in messages of a page each.
func sendMembers(stream accordv1.AdminService_WatchMembersServer, changes *accordv1.WatchMembersResponse) error {
	for page := range slices.Chunk(changes.GetMembers(), memberPage) {
		if err := stream.Send(&accordv1.WatchMembersResponse{Members: page}); err != nil {
			return err
		}
	}
	for page := range slices.Chunk(changes.GetRemoved(), memberPage) {
		if err := stream.Send(&accordv1.WatchMembersResponse{Removed: page}); err != nil {
			return err
		}
	}
	return stream.Send(&accordv1.WatchMembersResponse{Settled: true})
}

func fromMember(m coordinator.Member) *accordv1.Member {
	return &accordv1.Member{
		Name: m.Name, Role: string(m.Role), State: string(m.State), Since: fromTime(m.Since), Gossip: m.Gossip, Heard: fromTime(m.Heard),
		Version: m.Version, Run: m.Run, Round: int32(m.Round), Load: int32(m.Load),
		Trainer: m.Capabilities.Trainer, Cores: int32(m.Capabilities.Cores), Memory: m.Capabilities.Memory,
		SamplesPerSecond: m.Capabilities.SamplesPerSecond, Datasets: m.Capabilities.Datasets,
		ClockSeconds: m.ClockSeconds, Roots: m.Roots, Certified: m.Certified,
		From: m.From, Process: m.Process, Rival: fromRival(m.Rival),
	}
}

func fromRival(r *coordinator.Rival) *accordv1.Rival {
	if r == nil {
		return nil
	}
	return &accordv1.Rival{Process: r.Process, From: r.From, First: fromTime(r.First), Last: fromTime(r.Last)}
}

func toRival(r *accordv1.Rival) *coordinator.Rival {
	if r == nil {
		return nil
	}
	return &coordinator.Rival{Process: r.GetProcess(), From: r.GetFrom(), First: toTime(r.GetFirst()), Last: toTime(r.GetLast())}
}

func toMember(m *accordv1.Member) coordinator.Member {
	return coordinator.Member{
		Name: m.GetName(), Role: coordinator.Role(m.GetRole()), State: coordinator.Presence(m.GetState()),
		Since: toTime(m.GetSince()), Gossip: m.GetGossip(), Heard: toTime(m.GetHeard()),
		Version: m.GetVersion(), Run: m.GetRun(), Round: int(m.GetRound()), Load: int(m.GetLoad()),
		Capabilities: exchange.Capabilities{
			Trainer: m.GetTrainer(), Cores: int(m.GetCores()), Memory: m.GetMemory(),
			SamplesPerSecond: m.GetSamplesPerSecond(), Datasets: m.GetDatasets(),
		},
		ClockSeconds: m.ClockSeconds, Roots: m.GetRoots(), Certified: m.GetCertified(),
		From: m.GetFrom(), Process: m.GetProcess(), Rival: toRival(m.GetRival()),
	}
}

// fromTime writes a time; the zero time is not told.
func fromTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func toTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
