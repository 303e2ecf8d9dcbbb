// Package participant is the site's side of a federation: it answers tasks by
// training beside the site's data (Site), and attends a coordinator over gRPC
// (Run).
//
// It dials; nothing dials it. Nothing about the data leaves the site except
// the update and, where the site's policy allows it, its metrics and, where the
// run weighs by it, the number of samples; Inspect shows all of it. A finished
// update stays on disk until the coordinator has acknowledged it, from a second on
// also through a power cut, and goes out under the same task id however often it
// must.
package participant
