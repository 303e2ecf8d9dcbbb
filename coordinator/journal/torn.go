package journal

import "bytes"

// zeroRun is how many zero bytes in a row cannot be anything but a block that was
// never written: no byte of a journal is zero.
const zeroRun = 64

// torn reports whether rest, which begins where a batch that starts with record
// first should, is that batch as a crash has left it. offset is that of rest in
// the file, which ends with rest.
//
// A power cut leaves a batch that ends early, or blocks of zeros in it. It changes
// no byte to another one, so a batch that is all there and is wrong was not torn;
// nor was one that another batch follows: it had been durable.
func torn(rest []byte, offset int64, first uint64) bool {
	length := int64(len(rest))
	if length < headerBytes {
		want := opening(first)
		if n := min(len(want), len(rest)); string(rest[:n]) == want[:n] && bytes.IndexByte(rest, '\n') < 0 {
			return true
		}
		return zeroed(rest, offset, 0, length) || len(bytes.Trim(rest, "\x00")) == 0
	}
	h, err := parseHeader(rest[:headerBytes])
	if err != nil {
		return zeroed(rest, offset, 0, headerBytes) && !hasHeader(rest) && !hasMark(rest)
	}
	switch end := headerBytes + h.bytes; {
	case h.first != first || length > end:
		return false
	case length < end:
		return true
	default:
		return zeroed(rest, offset, headerBytes, end)
	}
}

// hasHeader reports whether a sound header begins anywhere in data.
func hasHeader(data []byte) bool {
	for {
		at := bytes.Index(data, []byte(headerStart))
		if at < 0 || int64(len(data)-at) < headerBytes {
			return false
		}
		if _, err := parseHeader(data[at : at+int(headerBytes)]); err == nil {
			return true
		}
		data = data[at+1:]
	}
}

// hasMark reports whether a batch ends in data before data does.
func hasMark(data []byte) bool {
	at := bytes.Index(data, []byte("\n"+markStart))
	if at < 0 {
		return false
	}
	end := bytes.IndexByte(data[at+1:], '\n')
	return end >= 0 && at+1+end < len(data)-1
}

// zeroed reports whether a block that reads as zeros overlaps data[from:to]:
// zeroRun zero bytes, or all that data, which lies at offset in the file, has of
// a block of the disk.
func zeroed(data []byte, offset, from, to int64) bool {
	overlaps := func(start, end int64) bool { return start < to && end > from }
	length := int64(len(data))
	for at := int64(0); at < length; {
		if data[at] != 0 {
			at++
			continue
		}
		start := at
		for at < length && data[at] == 0 {
			at++
		}
		if !overlaps(start, at) {
			continue
		}
		if at-start >= zeroRun {
			return true
		}
		// The run is shorter than a block, so it holds all of at most two: the
		// end of one that data begins in, the beginning of one that it ends in.
		first := min(length, blockBytes-offset%blockBytes)
		last := max(0, length-(offset+length)%blockBytes)
		if start == 0 && at >= first && first >= zeroBytes || at == length && start <= last && length-last >= zeroBytes {
			return true
		}
	}
	return false
}
