// Package checkpoint is the signed statement of a coordinator about its journal:
// so many records, under this root. A site that keeps the last one can find out
// whether the journal that it meets next has lost or changed any of them.
//
// A checkpoint has the format of c2sp.org/tlog-checkpoint: a signed note of
// golang.org/x/mod/sumdb/note whose text is the journal's origin, the number of
// its records, the root of their Merkle tree (RFC 6962), and one extension line
// that names the journal's incarnation:
//
//	accord-journal/5f0c9c9c6e0d4a3f8e0b1c2d3e4f5a6b
//	1742
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//	incarnation 9b1c7d5e2f304a68
//
//	— accord-journal/5f0c9c9c6e0d4a3f8e0b1c2d3e4f5a6b Az3grl…
//
// The bytes may come from anybody: they are bounded and checked before anything
// in them is used. All functions may be called concurrently.
package checkpoint
