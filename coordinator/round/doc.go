// Package round is a training run as a pure state machine: a function of a
// state and an event gives the next state and the effects to carry out.
//
// There is no clock, disk, network, randomness or tensor in it. Time,
// arrivals, failures and completions are events; what to do about them is an
// effect, and an effect's result comes back as an event. The driver appends
// an event to the journal before it carries out what follows from it, so
//
//   - replaying the journal's events rebuilds the state,
//   - Pending derives every open effect again from that state, and
//   - effects must be idempotent, for a crash can repeat one.
//
// A round is: select a cohort → exchanges → aggregate → evaluate → publish. The
// last two, the release of a version, overlap with the next round, which starts
// from the model as soon as it is aggregated and waits with its own aggregate
// until the version is out. Where the measurement decides whether there is a next
// round (StopAt), nothing overlaps. A member of the cohort that is lost, declines or
// answers badly is replaced while at least half of the window is left, unless the
// cohort is frozen. Failure is a phase too; it retries the round or ends the run
// by rule.
package round
