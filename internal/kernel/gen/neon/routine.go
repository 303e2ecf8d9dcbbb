package main

import (
	"fmt"
	"strings"
)

// routine is a function that is being written. It calls nothing and has no frame,
// so every register is its own but for those that Go or a platform keeps.
type routine struct {
	name    string
	params  []param
	size    int // of the parameters, in bytes
	body    strings.Builder
	general int // registers that are taken
	vectors int
}

type param struct {
	name, kind string
	at         int
}

// newRoutine begins a function; its signature lists names with their types.
func newRoutine(name, signature string) *routine {
	r := &routine{name: name}
	for field := range strings.SplitSeq(signature, ", ") {
		name, kind, _ := strings.Cut(field, " ")
		size := 8
		if kind == "float32" {
			size = 4
		}
		r.size = (r.size + size - 1) / size * size
		r.params = append(r.params, param{name, kind, r.size})
		r.size += size
	}
	return r
}

func (r *routine) signature() string {
	fields := make([]string, len(r.params))
	for i, p := range r.params {
		fields[i] = p.name + " " + p.kind
	}
	return fmt.Sprintf("func %s(%s)", r.name, strings.Join(fields, ", "))
}

// declaration is what Go code calls. No function keeps a pointer.
func (r *routine) declaration() string { return "\n//go:noescape\n" + r.signature() + "\n" }

func (r *routine) text() string {
	return fmt.Sprintf("\n// %s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n%s\tRET\n", r.signature(), r.name, r.size, &r.body)
}

// emit appends an instruction.
func (r *routine) emit(op string, operands ...any) {
	texts := make([]string, len(operands))
	for i, o := range operands {
		texts[i] = fmt.Sprint(o)
	}
	fmt.Fprintf(&r.body, "\t%-8s %s\n", op, strings.Join(texts, ", "))
}

func (r *routine) label(name string) { fmt.Fprintf(&r.body, "\n%s:\n", name) }

// register is a general one.
type register string

// vector is a register of four floats.
type vector int

func (v vector) String() string { return fmt.Sprintf("V%d.S4", int(v)) }

// lanes is Lanes columns: vectors that one instruction loads or stores.
type lanes [4]vector

func (l lanes) String() string { return fmt.Sprintf("[%v, %v, %v, %v]", l[0], l[1], l[2], l[3]) }

// lanesBytes is the size of lanes in memory.
const lanesBytes = 64

// register takes a general register. R18 belongs to the platform, R27 to the
// assembler and R28 and up to Go; R16, R17 and R26 have a role in calls.
func (r *routine) register() register {
	n := r.general
	r.general++
	if n >= 16 {
		n += 3
	}
	if n > 25 {
		panic(r.name + ": out of registers")
	}
	return register(fmt.Sprintf("R%d", n))
}

// vector takes a vector register; one after another have consecutive numbers.
func (r *routine) vector() vector {
	v := r.vectors
	r.vectors++
	if v > 31 {
		panic(r.name + ": out of vectors")
	}
	return vector(v)
}

func (r *routine) lanes() lanes { return lanes{r.vector(), r.vector(), r.vector(), r.vector()} }

// block takes the registers of rows × cols lanes.
func (r *routine) block(rows, cols int) [][]lanes {
	b := make([][]lanes, rows)
	for i := range b {
		for range cols {
			b[i] = append(b[i], r.lanes())
		}
	}
	return b
}

func (r *routine) argument(name string) string {
	for _, p := range r.params {
		if p.name == name {
			return fmt.Sprintf("%s+%d(FP)", p.name, p.at)
		}
	}
	panic(r.name + ": no parameter " + name)
}

// load reads an argument into a register.
func (r *routine) load(name string) register {
	to := r.register()
	r.emit("MOVD", r.argument(name), to)
	return to
}

// spread fills a vector with a float32: an argument, or a constant.
func (r *routine) spread(value string, v vector) vector {
	r.emit("FMOVS", value, fmt.Sprintf("F%d", int(v)))
	r.emit("VDUP", fmt.Sprintf("V%d.S[0]", int(v)), v)
	return v
}

// ones fills a vector with what serves to add: 1·x + y is rounded as x + y is.
func (r *routine) ones(v vector) vector { return r.spread("$1.0", v) }

// spreadArgument takes a vector filled with an argument.
func (r *routine) spreadArgument(name string) vector { return r.spread(r.argument(name), r.vector()) }

// exponents takes a vector whose elements have the bits of an exponent: numbers
// below the normal ones have none of them.
func (r *routine) exponents() vector {
	from, v := r.register(), r.vector()
	r.emit("MOVD", fmt.Sprintf("$0x%x", 0xff<<23), from)
	r.emit("VDUP", from, v)
	return v
}

func (r *routine) clear(v vector) { r.emit("VEOR", bits(v), bits(v), bits(v)) }

// bits is a vector for what knows no elements.
func bits(v vector) string { return fmt.Sprintf("V%d.B16", int(v)) }

// countdown repeats what lies behind label until n has become zero.
func (r *routine) countdown(n register, label string) {
	r.emit("SUBS", "$1", n)
	r.emit("BNE", label)
}

// in is the memory at a register.
func in(base register) string { return fmt.Sprintf("(%s)", base) }

// past is the memory at a register that an instruction with .P then moves on by
// bytes.
func past(base register, bytes int) string { return fmt.Sprintf("%d(%s)", bytes, base) }

// stepping is past with the bytes in a register.
func stepping(base, bytes register) string { return fmt.Sprintf("(%s)(%s)", base, bytes) }

// brackets makes a list of one vector.
func brackets(v vector) string { return fmt.Sprintf("[%v]", v) }

// scaled counts elements of float32 in bytes.
func scaled(elements register) string { return fmt.Sprintf("%s<<2", elements) }
