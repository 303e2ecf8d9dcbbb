//go:build unix

package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded returns n zeroed elements of which one end touches memory that can be
// neither read nor written. They go when the case ends.
func guarded[T any](d *drawing, n int) []T {
	var element T
	page := unix.Getpagesize()
	size := n * int(unsafe.Sizeof(element))
	inner := max(1, (size+page-1)/page) * page
	all, err := unix.Mmap(-1, 0, inner+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		if err := unix.Munmap(all); err != nil {
			d.Error(err)
		}
	})
	for _, guard := range [][]byte{all[:page], all[page+inner:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			d.Fatal(err)
		}
	}
	begin := page + inner - size
	if d.front {
		begin = page
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&all[begin])), n)[:n:n]
}
