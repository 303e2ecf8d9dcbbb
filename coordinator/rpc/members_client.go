package rpc

import (
	"context"
	"maps"
	"slices"

	"github.com/accord-fl/accord/coordinator"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Members returns who belongs to the federation, sorted by role and name.
func (c *Client) Members(ctx context.Context) ([]coordinator.Member, error) {
	var members []coordinator.Member
	request := &accordv1.ListMembersRequest{}
	for {
		response, err := c.admin.ListMembers(ctx, request)
		if err != nil {
			return nil, c.explain(err)
		}
		for _, m := range response.GetMembers() {
			members = append(members, toMember(m))
		}
		if !response.GetMore() || len(response.GetMembers()) == 0 {
			return members, nil
		}
		last := members[len(members)-1]
		request = &accordv1.ListMembersRequest{AfterRole: string(last.Role), AfterName: last.Name}
	}
}

// Release gives the place of a site away from the process that has it, which it
// returns. That one may not come back for coordinator.ReleasedFor.
func (c *Client) Release(ctx context.Context, site string) (coordinator.Rival, error) {
	response, err := c.admin.ReleaseSite(ctx, &accordv1.ReleaseSiteRequest{Site: site})
	if err != nil {
		return coordinator.Rival{}, c.explain(err)
	}
	return *toRival(response.GetReleased()), nil
}

// WatchMembers calls each with all members, sorted, now and after each change,
// until ctx ends or each returns an error, which WatchMembers then returns.
func (c *Client) WatchMembers(ctx context.Context, each func([]coordinator.Member) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	stream, err := c.admin.WatchMembers(ctx, &accordv1.WatchMembersRequest{})
	if err != nil {
		return c.explain(err)
	}
	known := map[memberKey]coordinator.Member{}
	for {
		response, err := stream.Recv()
		if err != nil {
			return c.explain(err)
		}
		for _, m := range response.GetMembers() {
			known[memberKey{coordinator.Role(m.GetRole()), m.GetName()}] = toMember(m)
		}
		for _, m := range response.GetRemoved() {
			delete(known, memberKey{coordinator.Role(m.GetRole()), m.GetName()})
		}
		if !response.GetSettled() {
			continue
		}
		members := slices.Collect(maps.Values(known))
		coordinator.SortMembers(members)
		if err := each(members); err != nil {
			return err
		}
	}
}
