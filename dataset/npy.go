package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/accord-fl/accord/internal/fault"
)

// A .npy file (numpy.lib.format, versions 1 to 3) is a magic string, the
// length of a header, the header as a Python dictionary of descr,
// fortran_order and shape, and the elements.
//
// github.com/sbinet/npyio reads it too, but trusts the file: v0.6.0 takes as
// much memory as the header's length (up to 4 GiB) and its shape ask for
// before it reads on.

// maxNPYHeader bounds the header; NumPy itself refuses more than 10,000 bytes.
const maxNPYHeader = 1 << 16

// npyHeader says what the elements of an array are and how they lie.
type npyHeader struct {
	kind    byte // 'u' and 'i' integers, 'f' floats
	size    int  // bytes of an element
	order   binary.ByteOrder
	fortran bool // first index varies fastest
	shape   []int
	length  int64 // bytes of all elements
}

// elements returns the number of elements.
func (h npyHeader) elements() int64 { return h.length / int64(h.size) }

// memory returns the bytes that an element takes once it is read: bytes stay
// bytes, all else becomes float32 or int32.
func (h npyHeader) memory() int64 {
	if h.kind == 'u' && h.size == 1 {
		return 1
	}
	return 4
}

// readNPYHeader reads everything before the elements and returns the bytes
// that were consumed.
func readNPYHeader(r io.Reader) (h npyHeader, consumed int64, err error) {
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return h, 0, readError(err)
	}
	if string(start[:6]) != "\x93NUMPY" {
		return h, 0, fault.Inputf("not a NumPy array: it starts with %q", start[:6])
	}
	lenBytes := 4
	switch major := start[6]; major {
	case 1:
		lenBytes = 2
	case 2, 3:
	default:
		return h, 0, fault.Inputf("NumPy format version %d is not known", major)
	}
	var word [4]byte
	if _, err := io.ReadFull(r, word[:lenBytes]); err != nil {
		return h, 0, readError(err)
	}
	n := binary.LittleEndian.Uint32(word[:])
	if n > maxNPYHeader {
		return h, 0, fault.Inputf("NumPy header of %d bytes is above the limit of %d", n, maxNPYHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, 0, readError(err)
	}
	if err := h.parse(string(text)); err != nil {
		return h, 0, fault.Inputf("NumPy header: %w", err)
	}
	return h, int64(len(start)+lenBytes) + int64(n), nil
}

// parse reads the dictionary: exactly the three keys, each once.
func (h *npyHeader) parse(text string) error {
	p := literal{rest: text}
	seen := map[string]bool{}
	if err := p.expect('{'); err != nil {
		return err
	}
	for !p.accept('}') {
		key, err := p.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %.40q appears twice", key)
		}
		seen[key] = true
		if err := p.expect(':'); err != nil {
			return err
		}
		switch key {
		case "descr":
			err = h.parseDescr(&p)
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.tuple()
		default:
			err = fmt.Errorf("unknown key %.40q", key)
		}
		if err != nil {
			return err
		}
		if !p.accept(',') && !strings.HasPrefix(p.rest, "}") {
			return fmt.Errorf("want , or } at %.20q", p.rest)
		}
	}
	if strings.TrimSpace(p.rest) != "" || len(seen) != 3 {
		return errors.New("want exactly descr, fortran_order and shape")
	}
	h.length = int64(h.size)
	for _, d := range h.shape {
		if h.length <= maxBytes { // stays below overflow; the caller refuses it
			h.length *= int64(d)
		}
	}
	return nil
}

// parseDescr reads an element type such as '<f4', byte order first.
func (h *npyHeader) parseDescr(p *literal) error {
	descr, err := p.str()
	if err != nil {
		return errors.New("records of several fields are not read")
	}
	if len(descr) > 1 && strings.Contains("|<>=", descr[:1]) && descr[1] == 'O' {
		return errors.New("arrays of Python objects are not read; save numbers (dtype uint8, float32, int64)")
	}
	switch descr {
	case "|u1", "|i1", "<u2", "<u4", "<u8", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8":
		h.order = binary.LittleEndian
	case ">u2", ">u4", ">u8", ">i2", ">i4", ">i8", ">f2", ">f4", ">f8":
		h.order = binary.BigEndian
	default:
		return fmt.Errorf("element type %.40q is not read, only whole numbers and floats of 2, 4 and 8 bytes", descr)
	}
	h.kind, h.size = descr[1], int(descr[2]-'0')
	return nil
}

// literal reads the few kinds of Python literal that a header is made of.
type literal struct{ rest string }

func (p *literal) accept(c byte) bool {
	p.rest = strings.TrimLeft(p.rest, " \n\t")
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = strings.TrimLeft(p.rest[1:], " \n\t")
	return true
}

func (p *literal) expect(c byte) error {
	if !p.accept(c) {
		return fmt.Errorf("want %c at %.20q", c, p.rest)
	}
	return nil
}

// str reads a string without escapes, in either kind of quotes.
func (p *literal) str() (string, error) {
	for _, quote := range []byte{'\'', '"'} {
		if p.accept(quote) {
			s, rest, ok := strings.Cut(p.rest, string(quote))
			if !ok || strings.Contains(s, `\`) {
				return "", errors.New("a string does not end")
			}
			p.rest = strings.TrimLeft(rest, " \n\t")
			return s, nil
		}
	}
	return "", fmt.Errorf("want a string at %.20q", p.rest)
}

func (p *literal) boolean() (bool, error) {
	for _, word := range []string{"True", "False"} {
		if rest, ok := strings.CutPrefix(p.rest, word); ok {
			p.rest = strings.TrimLeft(rest, " \n\t")
			return word == "True", nil
		}
	}
	return false, fmt.Errorf("want True or False at %.20q", p.rest)
}

// tuple reads whole numbers in parentheses.
func (p *literal) tuple() ([]int, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	numbers := []int{}
	for !p.accept(')') {
		end := 0
		for end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '9' {
			end++
		}
		n, err := strconv.ParseInt(p.rest[:end], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("shape: want a whole number below 2^31 at %.20q", p.rest)
		}
		numbers = append(numbers, int(n))
		p.rest = strings.TrimPrefix(p.rest[end:], "L") // Python 2 wrote long numbers so
		if !p.accept(',') && !strings.HasPrefix(p.rest, ")") {
			return nil, fmt.Errorf("shape: want , or ) at %.20q", p.rest)
		}
	}
	return numbers, nil
}
