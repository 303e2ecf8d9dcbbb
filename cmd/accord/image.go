package main

import (
	"bytes"
	"image"
	"image/color"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"

	"github.com/accord-fl/accord/internal/fault"
)

// readImage reads a picture as a network with inputs of the given shape
// (height, width, channels) sees it: values divided by 255. Its size must be
// that of the input; one channel is its brightness.
func readImage(path string, shape [3]int) ([]float32, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	header, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fault.Inputf("%s: %w", path, err)
	}
	if header.Height != shape[0] || header.Width != shape[1] {
		return nil, fault.Inputf("%s: %d×%d pixels, the network takes %d×%d", path, header.Width, header.Height, shape[1], shape[0])
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fault.Inputf("%s: %w", path, err)
	}
	if size := picture.Bounds().Size(); size.Y != shape[0] || size.X != shape[1] {
		return nil, fault.Inputf("%s: its header gives another size than its pixels", path)
	}
	values := make([]float32, 0, shape[0]*shape[1]*shape[2])
	for y := range shape[0] {
		for x := range shape[1] {
			at := picture.At(picture.Bounds().Min.X+x, picture.Bounds().Min.Y+y)
			switch shape[2] {
			case 1:
				values = append(values, float32(color.GrayModel.Convert(at).(color.Gray).Y)/255)
			case 3:
				r, g, b, _ := at.RGBA()
				values = append(values, float32(r>>8)/255, float32(g>>8)/255, float32(b>>8)/255)
			default:
				return nil, fault.Inputf("%s: a network with %d channels does not take pictures", path, shape[2])
			}
		}
	}
	return values, nil
}
