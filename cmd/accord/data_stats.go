package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
)

// dataStats is what `accord data stats --json` prints.
type dataStats struct {
	Dataset    string       `json:"dataset"`
	Shape      [3]int       `json:"shape"` // height, width, channels
	Classes    int          `json:"classes"`
	ClassNames []string     `json:"class_names,omitempty"`
	Splits     []partCounts `json:"splits"`
	Partition  string       `json:"partition,omitempty"`
	Sites      []partCounts `json:"sites,omitempty"`
}

// partCounts tells how many images of each class a split or a site holds.
type partCounts struct {
	Name   string `json:"name"`
	Images int    `json:"images"`
	Counts []int  `json:"counts"`           // by class
	Digest string `json:"digest,omitempty"` // of a split
}

func newDataStatsCmd() *cobra.Command {
	simulation := config.Defaults().Simulation
	var seed uint64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count the images of every class, in every split and at every site",
		Long: `Count the images of every class in the splits of a data set and, with --sites,
at every site when it is divided among so many. The digest of a split covers
images and labels: two sets with the same digest train alike.`,
		Example: "  accord data stats --dataset mnist --data data/mnist\n  accord data stats --dataset mnist --data data/mnist --sites 10 --partition dirichlet:0.5",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bySite := cmd.Flags().Changed("sites") || cmd.Flags().Changed("partition")
			stats, err := collectStats(simulation, seed, bySite)
			if err != nil {
				return err
			}
			if asJSON {
				return quote.Encode(cmd.OutOrStdout(), stats)
			}
			return stats.print(cmd.OutOrStdout())
		},
	}
	dataFlags(cmd.Flags(), &simulation.Data)
	shardFlags(cmd.Flags(), &simulation)
	cmd.Flags().Uint64Var(&seed, "seed", 1, "of the partition")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func collectStats(s config.Simulation, seed uint64, bySite bool) (dataStats, error) {
	stats := dataStats{Dataset: s.Dataset}
	if err := s.Validate(); err != nil {
		return stats, err
	}
	split, err := loadSplit(s)
	if err != nil {
		return stats, err
	}
	for _, part := range []struct {
		name string
		set  *dataset.Set
	}{{"train", split.Train}, {"validation", split.Val}, {"test", split.Test}} {
		if part.set == nil {
			continue
		}
		stats.Shape, stats.Classes, stats.ClassNames = part.set.Shape(), part.set.Classes(), part.set.ClassNames()
		stats.Splits = append(stats.Splits, partCounts{part.name, part.set.Len(), part.set.All().Counts(), part.set.Digest()})
	}
	if !bySite {
		return stats, nil
	}
	shards, err := divide(split, s, seed)
	if err != nil {
		return stats, err
	}
	stats.Partition = s.Scheme()
	for _, shard := range shards {
		stats.Sites = append(stats.Sites, partCounts{Name: shard.name, Images: shard.view.Len(), Counts: shard.view.Counts()})
	}
	return stats, nil
}

func (s dataStats) print(w io.Writer) error {
	title := fmt.Sprintf("%s: images of %d×%d×%d (height, width, channels), %d classes", s.Dataset, s.Shape[0], s.Shape[1], s.Shape[2], s.Classes)
	if err := s.table(title, "split", s.Splits).Print(w); err != nil {
		return err
	}
	for _, split := range s.Splits {
		if err := quote.Fprintf(w, "\ndigest of %s: %s", split.Name, split.Digest); err != nil {
			return err
		}
	}
	if err := quote.Fprintf(w, "\n"); err != nil || s.Sites == nil {
		return err
	}
	if err := quote.Fprintf(w, "\n"); err != nil {
		return err
	}
	return s.table(fmt.Sprintf("%d sites, divided %s", len(s.Sites), s.Partition), "site", s.Sites).Print(w)
}

// maxColumns is how many classes get a column each.
const maxColumns = 20

// table lists parts with the images of each class, or with the number of
// classes where there are too many.
func (s dataStats) table(title, kind string, parts []partCounts) term.Table {
	t := term.Table{Title: title, Columns: []term.Column{{Title: kind}, {Title: "images", Right: true}}}
	if s.Classes > maxColumns {
		t.Columns = append(t.Columns, term.Column{Title: "classes", Right: true})
	} else {
		for class := range s.Classes {
			t.Columns = append(t.Columns, term.Column{Title: s.className(class), Right: true})
		}
	}
	for _, part := range parts {
		cells := []string{part.Name, humanize.Comma(int64(part.Images))}
		if s.Classes > maxColumns {
			cells = append(cells, strconv.Itoa(present(part.Counts)))
		} else {
			for _, n := range part.Counts {
				cells = append(cells, humanize.Comma(int64(n)))
			}
		}
		t.Rows = append(t.Rows, term.Row{Cells: cells})
	}
	return t
}

func (s dataStats) className(class int) string {
	if class < len(s.ClassNames) {
		return s.ClassNames[class]
	}
	return strconv.Itoa(class)
}

// present counts the classes that have images.
func present(counts []int) int {
	n := 0
	for _, c := range counts {
		if c > 0 {
			n++
		}
	}
	return n
}
