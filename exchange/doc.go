// Package exchange holds the documents that travel between a coordinator and
// its participants: what is asked (Task), what is answered (Reply, Update)
// and what became of the answer (Receipt).
//
// They are JSON on every path: over gRPC, in process, and as the files that
// a site's own training program reads. Bulk data never is inside one; it is
// an artefact, a safetensors file named by its SHA-256.
package exchange
