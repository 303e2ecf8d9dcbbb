package dataset

import (
	"bytes"
	"image"
	"image/draw"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"

	"github.com/accord-fl/accord/internal/fault"
)

// maxSide bounds the sides of an image file, because decoding takes memory
// for what its header declares.
const maxSide = 4096

// imageBatch collects images of one size, of all parts one after the other.
type imageBatch struct {
	n             int
	height, width int
	channels      int // 1 until the first image that is not grey
	pixels        []uint8
	first         string // the file that set the size
}

// add decodes the contents of the file at path.
func (b *imageBatch) add(path string, raw []byte) error {
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
	return b.append(img)
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
func (b *imageBatch) append(img image.Image) error {
	rgba := image.NewRGBA(image.Rect(0, 0, b.width, b.height))
	draw.Draw(rgba, rgba.Bounds(), img, img.Bounds().Min, draw.Src)
	if b.channels == 1 && !isGrey(rgba.Pix) {
		if len(b.pixels) > maxBytes/3-b.width*b.height {
			return fault.Inputf("in colour, the images before it fill more than %d bytes", int64(maxBytes))
		}
		b.widen()
	}
	for p := rgba.Pix; len(p) >= 4; p = p[4:] {
		b.pixels = append(b.pixels, p[:b.channels]...)
	}
	b.n++
	return nil
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
