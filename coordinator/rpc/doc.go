// Package rpc serves a coordinator over gRPC: FederationService to the
// participants, AdminService to those who steer runs, and Client for the
// latter's side.
//
// It decides nothing. It turns streams into coordinator.Links, keeps their
// leases, moves artefacts to and from the spool, and maps errors to codes.
// No participant can hold up the coordinator: what is said to one waits in a
// queue of its own, and one that does not empty it is hung up on. Generated
// types stop here.
package rpc
