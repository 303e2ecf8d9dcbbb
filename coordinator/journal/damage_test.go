package journal

import (
	"bytes"
	"slices"
	"testing"
)

// flips are what becomes of a byte: each bit, a zero, and what may look like
// something else.
func flips(b byte) []byte {
	all := []byte{0, 0xff, '\n', ' ', '}', '{', '"', '0'}
	for bit := range 8 {
		all = append(all, b^1<<bit)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(to byte) bool { return to == b })
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	data, offsets := sample(t)
	for i, b := range data {
		for _, to := range flips(b) {
			flipped := bytes.Clone(data)
			flipped[i] = to
			_, cut, err := readBytes(flipped)
			if cut != nil || !named(err) {
				t.Fatalf("byte %d of %d, %q to %q: cut %+v, error %v", i, len(data), b, to, cut, err)
			}
			batch, _ := slices.BinarySearch(offsets, int64(i)+1)
			if d := damageOf(err); d != nil && d.keep != offsets[batch-1] {
				t.Fatalf("byte %d, %q to %q: %d bytes are sound, want %d: %v", i, b, to, d.keep, offsets[batch-1], err)
			}
		}
	}
}

// lines of data with their newlines.
func lines(data []byte) [][]byte { return slices.Collect(bytes.Lines(data)) }

// Records that were dropped, doubled or exchanged are named, wherever they are;
// but a line less in the last batch is a file that ends inside it.
func TestLinesThatWereMovedAreNoticed(t *testing.T) {
	data, offsets := sample(t)
	all := lines(data)
	last := bytes.Count(data[:offsets[len(offsets)-2]], []byte("\n"))
	check := func(what string, at int, changed [][]byte, mayBeCut bool) {
		t.Helper()
		_, cut, err := readBytes(bytes.Join(changed, nil))
		if named(err) || mayBeCut && err == nil && cut != nil {
			return
		}
		t.Errorf("line %d %s: cut %+v, error %v", at+1, what, cut, err)
	}
	for i := range all {
		check("dropped", i, slices.Concat(all[:i], all[i+1:]), i >= last)
		check("doubled", i, slices.Concat(all[:i+1], all[i:]), false)
		for other := range i {
			exchanged := slices.Clone(all)
			exchanged[i], exchanged[other] = all[other], all[i]
			if !bytes.Equal(all[i], all[other]) {
				check("exchanged", i, exchanged, false)
			}
		}
	}
}

func TestBatchesThatWereMovedAreNoticed(t *testing.T) {
	data, offsets := sample(t)
	var batches [][]byte
	for i, from := range offsets[:len(offsets)-1] {
		batches = append(batches, data[from:offsets[i+1]])
	}
	for i := range batches {
		changed := map[string][][]byte{"doubled": slices.Concat(batches[:i+1], batches[i:])}
		if i < len(batches)-1 {
			changed["dropped"] = slices.Concat(batches[:i], batches[i+1:])
			exchanged := slices.Clone(batches)
			exchanged[i], exchanged[i+1] = batches[i+1], batches[i]
			changed["exchanged"] = exchanged
		}
		for what, batches := range changed {
			if _, cut, err := readBytes(bytes.Join(batches, nil)); !named(err) {
				t.Errorf("batch %d %s: cut %+v, error %v", i+1, what, cut, err)
			}
		}
	}
}

// Wherever the file ends, it is complete up to its last whole batch.
func TestAnyRemovedSuffixIsCutToABatch(t *testing.T) {
	data, offsets := sample(t)
	records := []int64{0, 1, 3, 4, 7}
	for end := range len(data) + 1 {
		s, cut, err := readBytes(data[:end])
		batch, whole := slices.BinarySearch(offsets, int64(end))
		if !whole {
			batch--
		}
		if err != nil || (cut == nil) != whole || s.bytes != offsets[batch] || s.head.Size != records[batch] {
			t.Fatalf("%d of %d bytes: cut %+v, error %v, state %+v", end, len(data), cut, err, s)
		}
	}
}

// A block of zeros in the last batch is what a power cut leaves; in one that
// another batch follows it is damage.
func TestBlocksOfZeros(t *testing.T) {
	data, offsets := sample(t)
	before, last := offsets[len(offsets)-3], offsets[len(offsets)-2]
	zero := func(from, to int64) []byte {
		changed := bytes.Clone(data)
		clear(changed[max(0, from):min(to, int64(len(changed)))])
		return changed
	}
	check := func(from, to int64) {
		t.Helper()
		s, cut, err := readBytes(zero(from, to))
		switch {
		case from >= before && from < before+headerBytes && to > last && cut != nil:
			// Nothing is left that says that these were two batches.
		case from >= last && (err != nil || cut == nil || s.bytes != last):
			t.Errorf("zeros from %d to %d in the last batch from %d: cut %+v, error %v", from, to, last, cut, err)
		case from < last && !named(err):
			t.Errorf("zeros from %d to %d, and the last batch begins at %d: cut %+v, error %v", from, to, last, cut, err)
		}
	}
	for from := int64(0); from < int64(len(data))-zeroRun; from++ {
		check(from, from+300)
		check(from, from+zeroRun)
	}
	for block := last - last%blockBytes; block < int64(len(data)); block += blockBytes {
		check(max(last, block), block+blockBytes) // what the last batch has of it
	}
	check(last, int64(len(data)))
	if s, cut, err := readBytes(append(bytes.Clone(data), make([]byte, 5000)...)); err != nil || cut == nil || s.bytes != int64(len(data)) {
		t.Errorf("zeros behind the last batch: cut %+v, error %v", cut, err)
	}
}

// Each batch has enough of every block that it touches for its zeros to count.
func TestBatchesEndAwayFromTheBoundariesOfBlocks(t *testing.T) {
	offset := int64(0)
	for n := range 2 * blockBytes {
		r := rec(1, "a")
		r.Data = append(append([]byte{'"'}, bytes.Repeat([]byte("x"), n)...), '"')
		batch, _, err := encode([]Record{r}, [32]byte{}, offset)
		if err != nil {
			t.Fatal(err)
		}
		offset += int64(len(batch))
		if end := offset % blockBytes; end != 0 && (end < zeroBytes || end > blockBytes-zeroBytes) {
			t.Errorf("a batch ends %d bytes into a block", end)
		}
	}
}

func TestGarbageBehindTheLastBatchIsDamage(t *testing.T) {
	data, _ := sample(t)
	for _, garbage := range []string{"x", "\n", "{}\n", "nonsense\n", `{"batch":2,"first":9`, `{"seq":8,"at":"2026-01-02T03:04:05Z","run":"r","kind":"a","data":{}}` + "\n", string(data)} {
		if _, cut, err := readBytes(append(bytes.Clone(data), garbage...)); !named(err) {
			t.Errorf("%.30q: cut %+v, error %v", garbage, cut, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	data, offsets := sample(f)
	f.Add(data)
	f.Add(data[:offsets[1]+100])
	f.Add([]byte("{\"seq\":1,\"at\":\"2026-01-02T03:04:05Z\",\"run\":\"r\",\"kind\":\"a\",\"data\":{}}\n{\"se"))
	f.Add(header{1, 1 << 30, 1 << 62, [32]byte{}}.line())
	f.Add(append(header{1, 1, 3, [32]byte{}}.line(), 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, cut, err := readBytes(data)
		if err != nil {
			return
		}
		if cut == nil && s.bytes != int64(len(data)) || cut != nil && s.bytes+cut.Bytes != int64(len(data)) {
			t.Fatalf("%d bytes: %d are whole, cut %+v", len(data), s.bytes, cut)
		}
		again, cut, err := readBytes(data[:s.bytes])
		if err != nil || cut != nil || again.head != s.head {
			t.Errorf("without what was cut: %+v, cut %+v, error %v, want head %+v", again, cut, err, s.head)
		}
	})
}
