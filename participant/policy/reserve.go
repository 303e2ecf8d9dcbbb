package policy

// Reserve is how much of the disk that the participant's folder lies on stays
// free, whatever the coordinator sends.
type Reserve struct {
	Bytes   int64   // 0: not told
	Percent float64 // of the disk; 0: not told
}

// DefaultReserve returns what a site leaves free unless it says otherwise: 1 GB,
// or 1 % of the disk where that is less.
func DefaultReserve() Reserve { return Reserve{Bytes: 1e9, Percent: 1} }

// Of returns the bytes to leave free on a disk of size bytes. When bytes and a
// share are told, the smaller of both counts.
func (r Reserve) Of(size uint64) uint64 {
	share := uint64(r.Percent / 100 * float64(size))
	switch {
	case r.Bytes <= 0:
		return share
	case r.Percent <= 0:
		return uint64(r.Bytes)
	default:
		return min(uint64(r.Bytes), share)
	}
}
