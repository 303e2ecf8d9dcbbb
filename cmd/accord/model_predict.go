package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
)

// prediction is a line that `accord model predict --json` prints.
type prediction struct {
	Image         string    `json:"image"` // file, or split and number
	Class         int       `json:"class"`
	Name          string    `json:"name"`
	Probability   float64   `json:"probability"`
	Probabilities []float64 `json:"probabilities"`
	Label         *int      `json:"label,omitempty"` // the right answer, where it is known
}

func newModelPredictCmd() *cobra.Command {
	var source modelSource
	var first, count int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "predict FILE [IMAGE...]",
		Short: "Let a model name images",
		Long: `Let a model name images: PNG, JPEG or GIF files of the size it takes, or
without any, images of a data set.`,
		Example: "  accord model predict runs/digits/model.safetensors seven.png\n  accord model predict runs/digits/model.safetensors --dataset digits --count 5",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := loadTrained(args[0], source.spec)
			if err != nil {
				return err
			}
			var x []float32
			var predictions []prediction
			if images := args[1:]; len(images) > 0 {
				x, predictions, err = readImages(images, m.spec.Input)
			} else {
				x, predictions, err = source.sample(&m, first, count)
			}
			if err != nil {
				return err
			}
			if err := m.predict(x, predictions); err != nil {
				return err
			}
			return printPredictions(cmd.OutOrStdout(), m, predictions, asJSON)
		},
	}
	source.flags(cmd)
	cmd.Flags().IntVar(&first, "first", 0, "number of the data set's first image to name")
	cmd.Flags().IntVar(&count, "count", 10, "how many of the data set's images to name")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each image")
	return cmd
}

// readImages reads the files at paths.
func readImages(paths []string, shape [3]int) ([]float32, []prediction, error) {
	var x []float32
	predictions := make([]prediction, len(paths))
	for i, path := range paths {
		values, err := readImage(path, shape)
		if err != nil {
			return nil, nil, err
		}
		x = append(x, values...)
		predictions[i].Image = path
	}
	return x, predictions, nil
}

// sample takes images from the data set, and its class names if m has none.
func (s modelSource) sample(m *trained, first, count int) ([]float32, []prediction, error) {
	set, err := s.set(m.spec)
	if err != nil {
		return nil, nil, err
	}
	if first < 0 || count < 1 || first > set.Len()-count {
		return nil, nil, fault.Inputf("images %d to %d of %d: --first and --count go beyond them", first, first+count-1, set.Len())
	}
	if m.names == nil {
		m.names = set.ClassNames()
	}
	indices := make([]int, count)
	predictions := make([]prediction, count)
	for i := range indices {
		indices[i] = first + i
		label := int(set.Label(first + i))
		predictions[i] = prediction{Image: fmt.Sprintf("%s %d", s.split, first+i), Label: &label}
	}
	shape := set.Shape()
	x := make([]float32, count*shape[0]*shape[1]*shape[2])
	set.All().Gather(x, make([]int32, count), indices)
	return x, predictions, nil
}

// predict fills in what the model makes of the images in x.
func (m trained) predict(x []float32, predictions []prediction) error {
	engine, err := newEngine(m.spec, 1)
	if err != nil {
		return err
	}
	defer engine.Close()
	classes := m.spec.Classes()
	probabilities := make([]float32, len(predictions)*classes)
	if err := engine.Predict(m.params, x, probabilities); err != nil {
		return err
	}
	for i := range predictions {
		p := &predictions[i]
		p.Probabilities = make([]float64, classes)
		for class, value := range probabilities[i*classes : (i+1)*classes] {
			p.Probabilities[class] = float64(value)
			if float64(value) > p.Probability {
				p.Class, p.Probability = class, float64(value)
			}
		}
		p.Name = m.className(p.Class)
	}
	return nil
}

func printPredictions(w io.Writer, m trained, predictions []prediction, asJSON bool) error {
	if asJSON {
		for _, p := range predictions {
			if err := quote.Encode(w, p); err != nil {
				return err
			}
		}
		return nil
	}
	t := term.Table{Columns: []term.Column{{Title: "image"}, {Title: "class"}, {Title: "probability", Right: true}, {Title: "right answer"}}}
	for _, p := range predictions {
		answer := ""
		if p.Label != nil {
			answer = m.className(*p.Label)
		}
		t.Rows = append(t.Rows, term.Row{
			Cells:  []string{p.Image, p.Name, term.Percent(p.Probability), answer},
			Strong: p.Label != nil && *p.Label != p.Class,
		})
	}
	return t.Print(w)
}
