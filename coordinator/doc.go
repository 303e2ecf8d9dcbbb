// Package coordinator runs training jobs: it selects cohorts, offers tasks,
// takes updates, aggregates, evaluates and publishes version by version.
//
// What happens is decided by coordinator/round, a pure state machine. This
// package drives it: one goroutine owns all state; an event is stepped, then
// appended to the journal, and only then its effects are carried out, each
// elsewhere, its result coming back as an event. A participant is a Link;
// whether it is a gRPC stream or lives in the same process makes no
// difference, so a simulation runs exactly this code.
package coordinator
