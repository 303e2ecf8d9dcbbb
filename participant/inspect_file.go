package participant

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/accord-fl/accord/model/safetensors"
)

// File is a safetensors file of the site.
type File struct {
	Role    string   `json:"role"`
	Path    string   `json:"path"`
	Bytes   int64    `json:"bytes"`
	Digest  string   `json:"digest"` // of the bytes that are there
	Tensors []Tensor `json:"tensors"`
}

// Tensor tells what a tensor holds without its elements.
type Tensor struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Norm  float64 `json:"norm"` // √Σx²
}

// describe reads the file at path, block by block.
func describe(path, role string) (_ File, err error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	file := File{Role: role, Path: path}
	if file.Bytes, err = f.Seek(0, io.SeekEnd); err != nil {
		return File{}, err
	}
	tensors, err := safetensors.Open(f, file.Bytes)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, info := range tensors.Tensors() {
		t, err := measure(tensors, info)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", path, err)
		}
		file.Tensors = append(file.Tensors, t)
	}
	// Last, since a participant that runs may have used the file again meanwhile.
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(f, 0, file.Bytes)); err != nil {
		return File{}, err
	}
	file.Digest = hex.EncodeToString(hash.Sum(nil))
	return file, nil
}

// measure reads a tensor of at least one element.
func measure(f *safetensors.File, info safetensors.Info) (Tensor, error) {
	t := Tensor{Name: info.Name, Shape: info.Shape, Min: math.Inf(1), Max: math.Inf(-1)}
	block := make([]float32, 1<<14)
	sum := 0.0
	for at := int64(0); at < info.Len(); at += int64(len(block)) {
		block = block[:min(int64(len(block)), info.Len()-at)]
		if err := f.ReadFloat32(block, info, at); err != nil {
			return Tensor{}, err
		}
		for _, v := range block {
			x := float64(v)
			t.Min, t.Max = min(t.Min, x), max(t.Max, x)
			sum += x * x
		}
	}
	t.Norm = math.Sqrt(sum)
	return t, nil
}
