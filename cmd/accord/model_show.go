package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/model/safetensors"
)

// shownModel is what `accord model show --json` prints.
type shownModel struct {
	File       string            `json:"file"`
	Bytes      int64             `json:"bytes"`
	Digest     string            `json:"digest"` // SHA-256 of the file
	Parameters int64             `json:"parameters"`
	Tensors    []shownTensor     `json:"tensors"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Card       *report.Model     `json:"model,omitempty"` // model.json beside the file, when it is about this file
}

type shownTensor struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
}

func newModelShowCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "List a model's tensors and tell where it comes from",
		Long: `List the tensors of any safetensors file, with its digest, and what the
model.json beside it says: accuracy and lineage. A model.safetensors that is not
the one that model.json names is damaged or another: then the exit code is 3.`,
		Example: "  accord model show runs/digits/model.safetensors",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			shown, other, err := inspect(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = quote.Encode(cmd.OutOrStdout(), shown)
			} else {
				err = shown.print(cmd.OutOrStdout())
			}
			return errors.Join(err, other)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// inspect reads the file at path. other is an error when the model.json beside it
// is about another file.
func inspect(path string) (shown shownModel, other, err error) {
	shown.File = path
	blob, err := spool.OpenFile(path, "")
	if err != nil {
		return shown, nil, fault.As(fault.Input, err)
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	shown.Bytes, shown.Digest = blob.Size(), blob.Digest()
	tensors, err := safetensors.Open(blob, shown.Bytes)
	if err != nil {
		return shown, nil, fmt.Errorf("%s: %w", path, err)
	}
	shown.Metadata = tensors.Metadata()
	for _, t := range tensors.Tensors() {
		shown.Tensors = append(shown.Tensors, shownTensor{t.Name, t.DType.String(), t.Shape})
		shown.Parameters += (t.End - t.Begin) / int64(t.DType.Size())
	}
	card, err := readCard(path)
	if card != nil {
		other = checkCard(path, *card, shown.Digest)
		if card.Digest == shown.Digest {
			shown.Card = card
		}
	}
	return shown, other, err
}

func (s shownModel) print(w io.Writer) error {
	t := term.Table{
		Title:   fmt.Sprintf("%s: %s parameters, %s", s.File, humanize.Comma(s.Parameters), humanize.Bytes(uint64(s.Bytes))),
		Columns: []term.Column{{Title: "tensor"}, {Title: "type"}, {Title: "shape"}},
	}
	for _, tensor := range s.Tensors {
		t.Rows = append(t.Rows, term.Row{Cells: []string{tensor.Name, tensor.DType, fmt.Sprint(tensor.Shape)}})
	}
	if err := t.Print(w); err != nil {
		return err
	}
	facts := [][2]string{{"digest", s.Digest}}
	if c := s.Card; c != nil {
		if c.Accuracy != nil {
			facts = append(facts, [2]string{"test accuracy", term.Percent(*c.Accuracy)})
		}
		facts = append(facts,
			[2]string{"run", fmt.Sprintf("%s, seed %d, round %d", c.Lineage.Run, c.Lineage.Seed, c.Lineage.Round)},
			[2]string{"made by", fmt.Sprintf("accord %s, %s kernel", c.Lineage.Code, c.Lineage.Kernel)})
		if c.Lineage.Sites > 0 {
			facts = append(facts, [2]string{"sites", fmt.Sprint(c.Lineage.Sites)})
		}
		if c.Lineage.Parent != "" {
			facts = append(facts, [2]string{"made from", c.Lineage.Parent})
		}
	}
	if err := quote.Fprintf(w, "\n"); err != nil {
		return err
	}
	for _, fact := range facts {
		if err := quote.Fprintf(w, "%-14s %s\n", fact[0], fact[1]); err != nil {
			return err
		}
	}
	return nil
}
