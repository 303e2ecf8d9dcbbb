package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/model"
)

// trainOptions are the flags of `accord train`.
type trainOptions struct {
	data    config.Data
	local   config.Local
	seed    uint64
	spec    string
	init    string
	threads int
	out     string
	asJSON  bool
	command []string // that does the same again
}

func newTrainCmd() *cobra.Command {
	o := trainOptions{data: config.Data{Dataset: "digits"}, local: config.DefaultLocal("adam")}
	o.local.Epochs, o.local.Batch = 5, 32
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train in one place: the yardstick for a federation",
		Long: `Train the network that a federation would train, on all data in one place.

The run folder gets the model of the last epoch, or where the data set has a
validation split, of the epoch that is best on it; what the model is
(model.json), the metrics of every epoch, accuracy curves and a report. It
must not exist before.

--init starts from weights in a safetensors file. Tensors named NN.kernel and
NN.bias are matched by name, those of other files by order, kernel before
bias, and shape; stderr says which.`,
		Example: "  accord train --dataset mnist --data data/mnist --epochs 5 --batch 32 --optimizer adam\n" +
			"  accord train --dataset safetensors:data.safetensors --init init.safetensors --shuffle=false --steps 10",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	dataFlags(flags, &o.data)
	apply := localFlags(flags, o.local)
	flags.Uint64Var(&o.seed, "seed", 1, "of the first weights and of the order of samples")
	flags.StringVar(&o.spec, "spec", "", "file with the network's spec (default: the reference network, fitted to the data)")
	flags.StringVar(&o.init, "init", "", "safetensors file with weights to start from")
	flags.IntVar(&o.threads, "threads", 0, "that train, 0 for one on each core; the result does not depend on it")
	flags.StringVar(&o.out, "out", "", "run folder to make (default runs/train-DATE-TIME)")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object on stdout and nothing else")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		apply(&o.local)
		o.command = commandLine(cmd, "out", "json")
		return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// run trains and leaves a run folder. Nothing is written before all inputs
// have been found good.
func (o trainOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	begin := time.Now()
	if err := o.validate(); err != nil {
		return err
	}
	loaded := patience(stderr, "loading "+o.data.Dataset)
	split, err := dataset.Load(o.data.Dataset, o.data.Dir)
	loaded()
	if err != nil {
		return err
	}
	if split.Train == nil {
		return fault.Inputf("data set %s has no training images", o.data.Dataset)
	}
	spec, err := o.network(split.Train)
	if err != nil {
		return err
	}
	params, err := o.initial(spec, stderr)
	if err != nil {
		return err
	}
	folder, err := newFolder(o.out, "train")
	if err != nil {
		return err
	}
	defer folder.RemoveIfEmpty()
	t := &training{o: o, begin: begin, split: split, spec: spec, params: params, folder: folder}
	if err := t.run(ctx, stderr); err != nil {
		if t.kept == 0 { // the epochs of no model are nothing to keep, and the folder goes with them
			_ = os.Remove(folder.Path(report.MetricsFile)) // there may be none
		}
		return err
	}
	if err := folder.WriteReport(t.report()); err != nil {
		return err
	}
	if o.asJSON {
		return quote.Encode(stdout, t.summary)
	}
	return t.print(stdout)
}

// validate checks what can be checked before any data are read.
func (o trainOptions) validate() error {
	if err := o.data.Validate(); err != nil {
		return err
	}
	if err := o.local.Validate(); err != nil {
		return err
	}
	if err := checkThreads(o.threads); err != nil {
		return err
	}
	return report.Free(o.out)
}

// newFolder makes the run folder out, or when that is "", one named after the
// run and the time.
func newFolder(out, name string) (report.Folder, error) {
	if out == "" {
		return report.CreateDefault(name, time.Now())
	}
	return report.Create(out)
}

// network returns the spec to train.
func (o trainOptions) network(set *dataset.Set) (*model.Spec, error) {
	shape := set.Shape()
	if o.spec == "" {
		return model.ReferenceFor(shape[0], shape[1], shape[2], set.Classes())
	}
	spec, err := readSpec(o.spec)
	if err != nil {
		return nil, err
	}
	return spec, suits(spec, shape, set.Classes())
}

// initial returns the weights to start from: the same as those of a federated
// run with this seed, or those in the file of --init.
func (o trainOptions) initial(spec *model.Spec, stderr io.Writer) (*model.Params, error) {
	if o.init == "" {
		return coordinator.InitialModel(spec, o.seed), nil
	}
	params, how, err := matchParams(o.init, spec)
	if err != nil {
		return nil, err
	}
	err = quote.Fprintf(stderr, "starting from %s: tensors matched %s\n", o.init, how)
	return params, err
}
