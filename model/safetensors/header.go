package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"github.com/accord-fl/accord/internal/quote"
)

// header is a parsed header; offsets and shapes are not yet checked against
// the data. Files share it, so it never changes.
type header struct {
	tensors  []Info         // in the order of their bytes
	index    map[string]int // into tensors, by name
	metadata map[string]string
}

// maxRemembered bounds the header that is remembered, in bytes.
const maxRemembered = 64 << 10

// remembered is the last header that was read. All updates of a round have the
// same, and each is opened twice.
var remembered atomic.Pointer[rememberedHeader]

type rememberedHeader struct {
	raw []byte
	header
}

// readHeader reads the JSON header raw, which it keeps nothing of.
func readHeader(raw []byte) (header, error) {
	if last := remembered.Load(); last != nil && bytes.Equal(last.raw, raw) {
		return last.header, nil
	}
	h, err := parseHeader(raw)
	if err != nil {
		return header{}, err
	}
	slices.SortStableFunc(h.tensors, func(a, b Info) int {
		// Of two that begin together an empty one comes first.
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	h.index = make(map[string]int, len(h.tensors))
	for i, t := range h.tensors {
		h.index[t.Name] = i
	}
	if len(raw) <= maxRemembered {
		remembered.Store(&rememberedHeader{bytes.Clone(raw), h})
	}
	return h, nil
}

// parseHeader reads the JSON header token by token, because a decoder into
// maps would let a later duplicate key replace an earlier one in silence.
func parseHeader(raw []byte) (header, error) {
	switch {
	case len(raw) == 0 || raw[0] != '{':
		return header{}, formatf("header does not start with '{'")
	case !utf8.Valid(raw):
		return header{}, formatf("header is not valid UTF-8")
	case !json.Valid(raw):
		return header{}, formatf("header is not valid JSON")
	}
	p := headerParser{dec: json.NewDecoder(bytes.NewReader(raw))}
	p.dec.UseNumber()
	var h header
	err := p.object(func(key string) error {
		if key == metadataKey {
			h.metadata = map[string]string{}
			return p.object(func(k string) (err error) {
				h.metadata[k], err = p.string()
				return err
			})
		}
		t, err := p.tensor()
		t.Name = key
		h.tensors = append(h.tensors, t)
		return err
	})
	if err != nil {
		return header{}, formatf("header: %w", err)
	}
	return h, nil
}

// headerParser walks a header that is known to be valid JSON.
type headerParser struct{ dec *json.Decoder }

// object calls value for each key; value must consume the key's value.
func (p headerParser) object(value func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		key, err := p.string()
		if err != nil {
			return err
		}
		if err := quote.Check("the name", key); err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %.80q appears twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return fmt.Errorf("%.80q: %w", key, err)
		}
	}
	return p.delim('}')
}

func (p headerParser) tensor() (Info, error) {
	var t Info
	var haveDType, haveShape, haveOffsets bool
	err := p.object(func(key string) error {
		switch key {
		case "dtype":
			haveDType = true
			name, err := p.string()
			if err != nil {
				return err
			}
			t.DType, err = ParseDType(name)
			return err
		case "shape":
			haveShape = true
			return p.array(func(n uint64) { t.Shape = append(t.Shape, int(n)) }, strconv.IntSize-1)
		case "data_offsets":
			haveOffsets = true
			var offsets []int64
			if err := p.array(func(n uint64) { offsets = append(offsets, int64(n)) }, 63); err != nil {
				return err
			}
			if len(offsets) != 2 {
				return fmt.Errorf("%d numbers, want 2", len(offsets))
			}
			t.Begin, t.End = offsets[0], offsets[1]
			return nil
		}
		return fmt.Errorf("unknown key")
	})
	if err == nil && (!haveDType || !haveShape || !haveOffsets) {
		err = fmt.Errorf("needs dtype, shape and data_offsets")
	}
	return t, err
}

// array calls each for every number of an array of unsigned integers that fit
// into the given bits. Other spellings of a number (1.0, 1e3, -0) are refused.
func (p headerParser) array(each func(uint64), bits int) error {
	if err := p.delim('['); err != nil {
		return err
	}
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return err
		}
		num, ok := tok.(json.Number)
		if !ok {
			return fmt.Errorf("%.80v is not a number", tok)
		}
		n, err := strconv.ParseUint(num.String(), 10, bits)
		if err != nil {
			return fmt.Errorf("%.80s is not a whole number from 0 to 2^%d-1", num, bits)
		}
		each(n)
	}
	return p.delim(']')
}

func (p headerParser) string() (string, error) {
	tok, err := p.dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%.80v is not a string", tok)
	}
	return s, nil
}

func (p headerParser) delim(want json.Delim) error {
	tok, err := p.dec.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("got %.80v, want %v", tok, want)
	}
	return nil
}
