package safetensors

import (
	"fmt"
	"slices"

	"github.com/accord-fl/accord/internal/fault"
)

// DType is the type of a tensor's elements. The zero value is none of them.
type DType uint8

// The element types that are read and written, as the format names them.
const (
	F64 DType = iota + 1
	F32
	F16
	BF16
	I64
	I32
	U32
	I8
	U8
	BOOL
)

// String returns the format's name of d, as it stands in a header.
func (d DType) String() string {
	switch d {
	case F64:
		return "F64"
	case F32:
		return "F32"
	case F16:
		return "F16"
	case BF16:
		return "BF16"
	case I64:
		return "I64"
	case I32:
		return "I32"
	case U32:
		return "U32"
	case I8:
		return "I8"
	case U8:
		return "U8"
	case BOOL:
		return "BOOL"
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Size returns the bytes of one element, or 0 when d is none of the constants.
func (d DType) Size() int {
	switch d {
	case F64, I64:
		return 8
	case F32, I32, U32:
		return 4
	case F16, BF16:
		return 2
	case I8, U8, BOOL:
		return 1
	}
	return 0
}

// IsInteger reports whether d holds whole numbers; BOOL does not count.
func (d DType) IsInteger() bool {
	switch d {
	case I64, I32, U32, I8, U8:
		return true
	}
	return false
}

// ParseDType returns the element type of the given name. A name that the
// format knows but this package does not read is told apart from one that no
// file may hold.
func ParseDType(name string) (DType, error) {
	for d := F64; d <= BOOL; d++ {
		if d.String() == name {
			return d, nil
		}
	}
	others := []string{"F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2", "F8_E5M2FNUZ", "F8_E8M0", "I16", "U16", "U64", "C64"}
	if slices.Contains(others, name) {
		return 0, fault.Inputf("element type %s is not supported; convert to F64, F32, F16, BF16, I64, I32, U32, I8, U8 or BOOL", name)
	}
	return 0, fault.Inputf("unknown element type %.80q", name)
}
