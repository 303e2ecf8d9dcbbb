// Package report leaves the results of a training in a run folder: the model
// and where it comes from, the metrics of every round, accuracy curves and a
// page that explains them.
//
// A run folder is never overwritten. Every file in it but metrics.jsonl is
// replaced whole or not at all; metrics.jsonl grows line by line, and a line
// that a crash cut short is dropped when it is read. The same results give the
// same bytes.
package report
