package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
)

// testFile holds what the coordinator measures on.
const testFile = "test.safetensors"

func newDataPartitionCmd() *cobra.Command {
	simulation := config.Defaults().Simulation
	var seed uint64
	var out string
	cmd := &cobra.Command{
		Use:   "partition",
		Short: "Write each site's part of a data set to a file of its own",
		Long: `Divide a data set among sites and write one safetensors file for each, and
test.safetensors for the coordinator. The shards are those of ` + "`accord simulate`" + `
with the same flags, in the same order, so training on them with real
processes gives the same model, bit for bit.`,
		Example: "  accord data partition --dataset mnist --data data/mnist --sites 4 --partition iid --seed 1 --out data/shards",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writePartition(cmd.Context(), simulation, seed, out, cmd.OutOrStdout())
		},
	}
	dataFlags(cmd.Flags(), &simulation.Data)
	shardFlags(cmd.Flags(), &simulation)
	cmd.Flags().Uint64Var(&seed, "seed", 1, "of the partition")
	cmd.Flags().StringVar(&out, "out", "", "folder to make and write to")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}

// writePartition writes all files into a folder beside out, which gets its
// name only when it is complete.
func writePartition(ctx context.Context, s config.Simulation, seed uint64, out string, stdout io.Writer) (err error) {
	if out == "" {
		return fault.Usagef("--out: the folder has no name")
	}
	out = filepath.Clean(out) // a slash at the end would make a folder within it
	if err := s.Validate(); err != nil {
		return err
	}
	if _, err := os.Lstat(out); err == nil {
		return fault.As(fault.Exists, fmt.Errorf("folder %s is already there; choose another with --out", out))
	}
	split, err := loadSplit(s)
	if err != nil {
		return err
	}
	shards, err := divide(split, s, seed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fault.As(fault.Input, err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), "."+filepath.Base(out)+".*.tmp")
	if err != nil {
		return fault.As(fault.Input, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := writeShards(ctx, dir, split, shards); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Rename(dir, out)); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	return printPartition(stdout, out, split, shards)
}

func writeShards(ctx context.Context, dir string, split dataset.Split, shards []shard) error {
	for _, shard := range shards {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := dataset.WriteSafetensors(filepath.Join(dir, shard.name+".safetensors"), dataset.Views{Train: shard.view}); err != nil {
			return err
		}
	}
	if split.Test == nil && split.Val == nil {
		return nil
	}
	return dataset.WriteSafetensors(filepath.Join(dir, testFile), dataset.Views{Val: all(split.Val), Test: all(split.Test)})
}

// all views a whole set, which may be nil.
func all(set *dataset.Set) *dataset.View {
	if set == nil {
		return nil
	}
	return set.All()
}

func printPartition(w io.Writer, out string, split dataset.Split, shards []shard) error {
	first := filepath.Join(out, shards[0].name+".safetensors")
	err := quote.Fprintf(w, "%s: %d sites, %d images", out, len(shards), split.Train.Len())
	for _, part := range []struct {
		name string
		set  *dataset.Set
	}{{"validation", split.Val}, {"test", split.Test}} {
		if err == nil && part.set != nil {
			err = quote.Fprintf(w, ", %d %s images in %s", part.set.Len(), part.name, testFile)
		}
	}
	if err == nil {
		err = quote.Fprintf(w, "\n\nNext:\n  %s\n", report.ShellLine([]string{"accord", "data", "stats", "--dataset", "safetensors:" + first}))
	}
	return err
}
