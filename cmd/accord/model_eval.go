package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// modelSource are the flags that say what a model file holds and what to try
// it on.
type modelSource struct {
	spec  string
	data  config.Data
	split string
}

func (s *modelSource) flags(cmd *cobra.Command) {
	s.data.Dataset = "digits"
	dataFlags(cmd.Flags(), &s.data)
	cmd.Flags().StringVar(&s.spec, "spec", "", "file with the network's spec (default: model.json beside the model, else the reference network)")
	cmd.Flags().StringVar(&s.split, "split", "test", "part of the data set: train, validation or test")
}

// set loads the part of the data set that the flags name, and checks that the
// network of spec suits it.
func (s modelSource) set(spec *model.Spec) (*dataset.Set, error) {
	if err := s.data.Validate(); err != nil {
		return nil, err
	}
	split, err := dataset.Load(s.data.Dataset, s.data.Dir)
	if err != nil {
		return nil, err
	}
	set, known := map[string]*dataset.Set{"train": split.Train, "validation": split.Val, "test": split.Test}[s.split]
	switch {
	case !known:
		return nil, fault.Usagef("--split: %q is not known; want train, validation or test", s.split)
	case set == nil:
		return nil, fault.Inputf("data set %s has no %s split", s.data.Dataset, s.split)
	}
	return set, suits(spec, set.Shape(), set.Classes())
}

func newModelEvalCmd() *cobra.Command {
	var source modelSource
	var threads int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "eval FILE",
		Short: "Measure a model on a data set",
		Long: `Measure a model on a data set: accuracy, loss, the accuracy of each class and
which classes it takes for which. For two classes also the area under the ROC
curve, sensitivity and specificity.`,
		Example: "  accord model eval runs/mnist/model.safetensors --dataset mnist --data data/mnist",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := loadTrained(args[0], source.spec)
			if err != nil {
				return err
			}
			set, err := source.set(m.spec)
			if err != nil {
				return err
			}
			if m.names == nil {
				m.names = set.ClassNames()
			}
			evaluation, err := evaluate(cmd.Context(), m, set, threads)
			if err != nil {
				return err
			}
			if asJSON {
				return quote.Encode(cmd.OutOrStdout(), evaluation)
			}
			return printEvaluation(cmd.OutOrStdout(), m, evaluation)
		},
	}
	source.flags(cmd)
	cmd.Flags().IntVar(&threads, "threads", 0, "that compute, 0 for one on each core")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// newEngine returns an engine for spec; threads 0 means one for each core.
func newEngine(spec *model.Spec, threads int) (*train.Engine, error) {
	if err := checkThreads(threads); err != nil {
		return nil, err
	}
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	network, err := model.NewNetwork(spec)
	if err != nil {
		return nil, err
	}
	return train.NewEngine(network, threads)
}

func evaluate(ctx context.Context, m trained, set *dataset.Set, threads int) (train.Evaluation, error) {
	engine, err := newEngine(m.spec, threads)
	if err != nil {
		return train.Evaluation{}, err
	}
	defer engine.Close()
	return engine.Evaluate(ctx, m.params, set.All())
}

func printEvaluation(w io.Writer, m trained, e train.Evaluation) error {
	t := term.Table{
		Title:   fmt.Sprintf("%s images: accuracy %s, loss %.4f", humanize.Comma(int64(e.Samples)), term.Percent(e.Accuracy), e.Loss),
		Columns: []term.Column{{Title: "class"}, {Title: "images", Right: true}, {Title: "accuracy", Right: true}, {Title: "taken most often for"}, {Bar: true}},
	}
	for class, accuracy := range e.PerClass {
		images, wrong := 0, -1
		for predicted, n := range e.Confusion[class] {
			images += n
			if predicted != class && n > 0 && (wrong < 0 || n > e.Confusion[class][wrong]) {
				wrong = predicted
			}
		}
		mistaken := ""
		if wrong >= 0 {
			mistaken = fmt.Sprintf("%s (%d)", m.className(wrong), e.Confusion[class][wrong])
		}
		t.Rows = append(t.Rows, term.Row{Cells: []string{
			m.className(class), strconv.Itoa(images), term.Percent(accuracy), mistaken, strconv.FormatFloat(accuracy, 'f', 4, 64),
		}})
	}
	if err := t.Print(w); err != nil {
		return err
	}
	for _, more := range []struct {
		name  string
		value *float64
	}{{"AUC", e.AUC}, {"sensitivity", e.Sensitivity}, {"specificity", e.Specificity}} {
		if more.value == nil {
			continue
		}
		if err := quote.Fprintf(w, "%-12s %.4f\n", more.name, *more.value); err != nil {
			return err
		}
	}
	return nil
}
