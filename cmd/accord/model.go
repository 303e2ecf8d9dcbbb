package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
)

func newModelCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "model",
		Short:   "Look into a model, measure it, let it predict",
		Example: "  accord model show runs/digits/model.safetensors",
	}
	cmd.AddCommand(newModelShowCmd(), newModelEvalCmd(), newModelPredictCmd())
	return cmd
}

// readSpec reads the spec in the file at path.
func readSpec(path string) (*model.Spec, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	return model.ParseSpec(path, data)
}

// readCard reads the model.json beside the model at path, nil when there is
// none.
func readCard(path string) (*report.Model, error) {
	card, err := report.ReadModel(filepath.Join(filepath.Dir(path), report.CardFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &card, nil
}

// openModel opens the safetensors file at path. When it is called
// model.safetensors, it must be the one that the model.json beside it is about: a
// file of another name may lie beside any.
func openModel(path string) (*spool.Blob, error) {
	blob, err := spool.OpenFile(path, "")
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	card, err := readCard(path)
	if err == nil && card != nil {
		err = checkCard(path, *card, blob.Digest())
	}
	if err != nil {
		return nil, errors.Join(err, blob.Close())
	}
	return blob, nil
}

func checkCard(path string, card report.Model, digest string) error {
	if filepath.Base(path) != report.ModelFile || card.Digest == digest {
		return nil
	}
	return fault.Inputf("%s is damaged, or is not the model that the %s beside it is about: its SHA-256 is %s, that file names %s; put it back from a copy",
		path, report.CardFile, digest, card.Digest)
}

// matchParams reads the weights at path, a file of openModel's, for the network of
// spec. The second result says how the file's tensors were matched.
func matchParams(path string, spec *model.Spec) (_ *model.Params, how string, err error) {
	blob, err := openModel(path)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	p, how, err := model.MatchParams(blob, blob.Size(), spec.Contract())
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return p, how, nil
}

// trained is a network with its weights, as read from files.
type trained struct {
	spec   *model.Spec
	params *model.Params
	names  []string // of the classes; may be nil
}

// loadTrained reads the model at path. Its spec is that of specFile, or where
// that is "", of the model.json beside it, or else the reference network.
func loadTrained(path, specFile string) (trained, error) {
	spec := model.Reference()
	var names []string
	card, err := readCard(path)
	switch {
	case specFile != "":
		spec, err = readSpec(specFile)
	case card != nil && card.Spec != nil:
		spec = card.Spec
	}
	if err != nil {
		return trained{}, err
	}
	if card != nil {
		names = card.ClassNames
	}
	params, _, err := matchParams(path, spec)
	return trained{spec, params, names}, err
}

// className names a class for people.
func (m trained) className(class int) string {
	if class < len(m.names) {
		return m.names[class]
	}
	return fmt.Sprint(class)
}

// suits reports whether the network of spec can work on images of this shape in
// so many classes.
func suits(spec *model.Spec, shape [3]int, classes int) error {
	switch {
	case spec.Input != shape:
		return fault.Inputf("the network takes images of %v (height, width, channels), the data set has %v", spec.Input, shape)
	case spec.Classes() < classes:
		return fault.Inputf("the network tells %d classes apart, the data set has %d", spec.Classes(), classes)
	}
	return nil
}
