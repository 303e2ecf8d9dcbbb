package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/dustin/go-humanize"

	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/term"
)

// report describes the training on a page.
func (t *training) report() report.Report {
	return report.Report{
		Title:    t.title(),
		About:    "A network trained on all data in one place: the yardstick that a federation is measured against.",
		Settings: t.settings(),
		Command:  t.o.command,
		Summary:  t.summary,
		Model:    t.card,
		Rounds:   t.rounds,
		Unit:     "epoch",
		Label:    "trained in one place",
	}
}

// settings lists what shaped the result.
func (t *training) settings() []report.Setting {
	l := t.o.local
	settings := []report.Setting{
		{Name: "data set", Value: t.o.data.Dataset},
		{Name: "training images", Value: humanize.Comma(int64(t.split.Train.Len()))},
		{Name: "parameters", Value: humanize.Comma(int64(t.spec.Contract().Size()))},
		{Name: "epochs", Value: strconv.Itoa(l.Epochs)},
		{Name: "batch", Value: strconv.Itoa(l.Batch)},
		{Name: "optimizer", Value: l.Optimizer},
		{Name: "lr", Value: fmt.Sprint(l.LR)},
	}
	for _, more := range []struct {
		name  string
		value any
		given bool
	}{
		{"momentum", l.Momentum, l.Momentum != 0},
		{"weight decay", l.WeightDecay, l.WeightDecay != 0},
		{"steps", l.Steps, l.Steps != 0},
		{"shuffle", l.Shuffle, !l.Shuffle},
		{"spec", t.o.spec, t.o.spec != ""},
		{"first weights", t.o.init, t.o.init != ""},
	} {
		if more.given {
			settings = append(settings, report.Setting{Name: more.name, Value: fmt.Sprint(more.value)})
		}
	}
	return append(settings, report.Setting{Name: "seed", Value: strconv.FormatUint(t.o.seed, 10)})
}

// print writes the result and what to do next.
func (t *training) print(w io.Writer) error {
	accuracy := "not measured: the data set has no test split"
	if t.summary.Accuracy != nil {
		accuracy = term.Percent(*t.summary.Accuracy)
	}
	modelPath, source := t.folder.Path(report.ModelFile), t.source()
	err := quote.Fprintf(w, "test accuracy  %s\nepochs         %d, %.1f s, %.0f samples/s\nmodel          %s\ndigest         %s\n\nNext:\n  %s\n  %s\n  %s\n",
		accuracy, t.summary.Rounds, t.summary.Seconds, t.summary.SamplesPerSecond, modelPath, t.summary.ModelDigest,
		again("model", "show", modelPath),
		again(append([]string{"model", "predict", modelPath}, source...)...),
		again(append([]string{"simulate", "--sites", "10"}, source...)...),
	)
	return err
}

// source is the data set as flags, with paths that work from anywhere.
func (t *training) source() []string {
	flags := []string{"--dataset", t.o.data.Dataset}
	if t.o.data.Dir == "" {
		return flags
	}
	if dir, err := filepath.Abs(t.o.data.Dir); err == nil {
		return append(flags, "--data", dir)
	}
	return append(flags, "--data", t.o.data.Dir)
}
