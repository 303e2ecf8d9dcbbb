package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "golang.org/x/image/bmp"

	"github.com/accord-fl/accord/internal/fault"
)

// maxSide bounds the sides of an image file, because decoding takes memory
// for what its header declares.
const maxSide = 4096

// loadImages reads dir/CLASS/FILE, or dir/PART/CLASS/FILE where there are
// folders train, val and test. Classes are numbered in order of their names,
// over all parts. All images must be of one size; they are kept with one
// channel when every pixel of the whole set is grey, with three otherwise.
// Transparent pixels count as black, and of a GIF the first frame.
func loadImages(dir string) (Split, error) {
	parts := [3]string{"train", "val", "test"}
	split := false
	for i, name := range parts {
		parts[i] = filepath.Join(dir, name)
		info, err := os.Stat(parts[i])
		if err != nil || !info.IsDir() {
			parts[i] = ""
			continue
		}
		split = true
	}
	if !split {
		parts[0] = dir
	}
	names, err := classNames(parts)
	if err != nil {
		return Split{}, err
	}
	b := imageBatch{}
	var labels [3][]int32
	for i, part := range parts {
		if labels[i], err = b.addPart(part, names); err != nil {
			return Split{}, err
		}
	}
	if b.n == 0 {
		return Split{}, fault.Inputf("no images in %s: want a folder for each class with PNG, JPEG, GIF or BMP files", dir)
	}
	return b.split(labels, names)
}

// classNames returns the names of the folders in all parts, sorted.
func classNames(parts [3]string) ([]string, error) {
	var names []string
	for _, part := range parts {
		if part == "" {
			continue
		}
		entries, err := os.ReadDir(part)
		if err != nil {
			return nil, fault.As(fault.Input, err)
		}
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// imageBatch collects images of one size, of all parts one after the other.
type imageBatch struct {
	n             int
	height, width int
	channels      int // 1 until the first image that is not grey
	pixels        []uint8
	first         string // the file that set the size
}

// addPart adds the images in a part's class folders, in order of their names,
// and returns their labels.
func (b *imageBatch) addPart(part string, classes []string) ([]int32, error) {
	var labels []int32
	if part == "" {
		return nil, nil
	}
	for label, class := range classes {
		entries, err := os.ReadDir(filepath.Join(part, class))
		if os.IsNotExist(err) {
			continue // a part may lack a class that another has
		}
		if err != nil {
			return nil, fault.As(fault.Input, err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") || e.Name() == "Thumbs.db" || e.Name() == "desktop.ini" {
				continue // left there by file managers
			}
			path := filepath.Join(part, class, e.Name())
			if err := b.add(path); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			labels = append(labels, int32(label))
		}
	}
	return labels, nil
}

func (b *imageBatch) add(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fault.As(fault.Input, err)
	}
	header, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return fault.Inputf("not a readable PNG, JPEG, GIF or BMP image: %w", err)
	}
	if err := b.checkSize(path, header.Height, header.Width); err != nil {
		return err
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return fault.Inputf("unreadable image: %w", err)
	}
	if size := img.Bounds().Size(); size.X != b.width || size.Y != b.height {
		return fault.Inputf("the image is %d×%d, its header says %d×%d", size.X, size.Y, b.width, b.height)
	}
	b.append(img)
	return nil
}

func (b *imageBatch) checkSize(path string, height, width int) error {
	if b.n == 0 {
		b.first, b.height, b.width, b.channels = path, height, width, 1
	}
	switch {
	case min(height, width) < 1 || max(height, width) > maxSide:
		return fault.Inputf("%d×%d pixels: sides must be 1 to %d", width, height, maxSide)
	case height != b.height || width != b.width:
		return fault.Inputf("%d×%d pixels, but %s has %d×%d: scale all images to one size first", width, height, b.first, b.width, b.height)
	case len(b.pixels) > maxBytes-3*height*width:
		return fault.Inputf("the images before it already fill %d bytes", int64(maxBytes))
	}
	return nil
}

// append adds the pixels of an image whose size has been checked.
func (b *imageBatch) append(img image.Image) {
	rgba := image.NewRGBA(image.Rect(0, 0, b.width, b.height))
	draw.Draw(rgba, rgba.Bounds(), img, img.Bounds().Min, draw.Src)
	if b.channels == 1 && !isGrey(rgba.Pix) {
		b.widen()
	}
	for p := rgba.Pix; len(p) >= 4; p = p[4:] {
		b.pixels = append(b.pixels, p[:b.channels]...)
	}
	b.n++
}

// isGrey reports whether red, green and blue are equal in every RGBA pixel.
func isGrey(pix []uint8) bool {
	for p := pix; len(p) >= 4; p = p[4:] {
		if p[0] != p[1] || p[0] != p[2] {
			return false
		}
	}
	return true
}

// widen turns the grey pixels so far into red, green and blue.
func (b *imageBatch) widen() {
	wide := make([]uint8, 0, 3*len(b.pixels))
	for _, v := range b.pixels {
		wide = append(wide, v, v, v)
	}
	b.channels, b.pixels = 3, wide
}

// split cuts the pixels into the parts that labels belong to.
func (b *imageBatch) split(labels [3][]int32, names []string) (Split, error) {
	var sets [3]*Set
	rest := b.pixels
	for i, l := range labels {
		if len(l) == 0 {
			continue
		}
		n := len(l) * b.height * b.width * b.channels
		set, err := FromBytes([3]int{b.height, b.width, b.channels}, rest[:n:n], l)
		if err != nil {
			return Split{}, err
		}
		set.classes, set.names = len(names), names
		sets[i], rest = set, rest[n:]
	}
	return NewSplit(sets[0], sets[1], sets[2])
}
