package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/dustin/go-humanize"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/term"
)

// print tells a person what came of a simulation.
func (o outcome) print(w io.Writer) error {
	var b quote.Builder
	if s := o.summary; o.baselines != nil {
		if err := o.comparison().Print(w); err != nil {
			return err
		}
	} else if s.Accuracy != nil {
		b.Printf("test accuracy %s after %s\n", term.Percent(*s.Accuracy), count(s.Rounds, "round"))
	} else {
		b.Printf("test accuracy not measured, %s\n", count(s.Rounds, "round"))
	}
	if o.summary.RoundsToTarget != nil {
		b.Printf("reached %s in round %d\n", term.Percent(o.cfg.StopAt), *o.summary.RoundsToTarget)
	} else if o.cfg.StopAt > 0 {
		b.Printf("did not reach %s\n", term.Percent(o.cfg.StopAt))
	}
	b.Printf("\n%s\nmodel %.12s\nreport and curves in %s\n\nNext:\n", o.took(), o.summary.ModelDigest, o.folder.Path(report.ReportFile))
	for _, command := range o.next() {
		b.Printf("  %s\n", again(command...))
	}
	return quote.Fprintf(w, "%s", b.Raw())
}

// took says where the time went.
func (o outcome) took() quote.Raw {
	text := quote.Sprintf("%.1f s, %s samples/s", o.summary.Seconds, humanize.Comma(int64(o.summary.SamplesPerSecond)))
	if o.baselines == nil {
		return text
	}
	return quote.Sprintf("the federation: %s\nthe comparison: %.1f s", text, o.compared.Seconds())
}

// count says "1 round", "2 rounds".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// next are commands to go on with. Digits that were drawn by options of their
// own cannot be named to the verbs of a model.
func (o outcome) next() [][]string {
	modelPath := o.folder.Path(report.ModelFile)
	s := o.cfg.Simulation
	source := []string{"--dataset", s.Dataset}
	if s.Dir != "" {
		source = append(source, "--data", s.Dir)
	}
	if o.split.Test == nil {
		source = append(source, "--split", "train")
	}
	last := append([]string{"model", "eval", modelPath}, source...)
	if s.Dataset == "digits" && digitsFor(s) != dataset.DefaultDigits() {
		last = []string{"data", "stats", "--dataset", "digits", "--sites", strconv.Itoa(s.Sites)}
		if s.SamplesPerSite > 0 {
			last = append(last, "--samples-per-site", strconv.Itoa(s.SamplesPerSite))
		}
		if s.TestSamples > 0 {
			last = append(last, "--test-samples", strconv.Itoa(s.TestSamples))
		}
	}
	return [][]string{{"model", "show", modelPath}, append([]string{"model", "predict", modelPath}, source...), last}
}

// comparison is the table of what the federation was worth.
func (o outcome) comparison() term.Table {
	t := term.Table{
		Title:   "What the federation was worth: accuracy on the same test set",
		Columns: []term.Column{{Title: "trained on"}, {Title: "images", Right: true}, {Title: "accuracy", Right: true}, {Title: "", Bar: true}},
	}
	add := func(name string, images int, accuracy float64, strong bool) {
		t.Rows = append(t.Rows, term.Row{
			Cells:  []string{name, strconv.Itoa(images), term.Percent(accuracy), strconv.FormatFloat(accuracy, 'f', 4, 64)},
			Strong: strong,
		})
	}
	for _, site := range o.alone() {
		add(site.name, site.images, site.accuracy, false)
	}
	add("the federation", o.split.Train.Len(), *o.summary.Accuracy, true)
	add("all data in one place", o.split.Train.Len(), o.baselines.Central.Accuracy, false)
	return t
}

// siteAlone is what one site reaches with its own data.
type siteAlone struct {
	name     string
	images   int
	accuracy float64
}

// maxAlone is how many sites the table lists one by one.
const maxAlone = 20

// alone lists what the sites reach alone, or when they are many, the worst,
// the middle and the best of them.
func (o outcome) alone() []siteAlone {
	sites := make([]siteAlone, len(o.baselines.Sites))
	for i, b := range o.baselines.Sites {
		sites[i] = siteAlone{b.Site + " alone", o.shards[i].view.Len(), b.Accuracy}
	}
	if len(sites) <= maxAlone {
		return sites
	}
	slices.SortStableFunc(sites, func(a, b siteAlone) int { return cmp.Compare(a.accuracy, b.accuracy) })
	worst, median, best := sites[0], sites[len(sites)/2], sites[len(sites)-1]
	worst.name += " (worst)"
	median.name += " (median)"
	best.name += " (best)"
	return []siteAlone{worst, median, best}
}

// report is the page about the run.
func (o outcome) report() report.Report {
	s := o.cfg.Simulation
	l := o.cfg.Local
	r := report.Report{
		Title: fmt.Sprintf("%s: %d sites trained one model", title(o.cfg), s.Sites),
		About: fmt.Sprintf("A simulated federation: %d sites, each with a private share of the training images of %s, trained one model by federated averaging. In every round, %.3g %% of the sites trained on their own images, and only what training changed left them.", s.Sites, dataTitle(s.Data), 100*o.cfg.Fraction),
		Settings: []report.Setting{
			{Name: "data set", Value: s.Dataset}, {Name: "training images", Value: strconv.Itoa(o.split.Train.Len())},
			{Name: "sites", Value: strconv.Itoa(s.Sites)}, {Name: "partition", Value: s.Scheme()},
			{Name: "rounds", Value: strconv.Itoa(o.cfg.Rounds)}, {Name: "fraction of sites in a round", Value: fmt.Sprint(o.cfg.Fraction)},
			{Name: "local training", Value: fmt.Sprintf("%s, batch %d, %s, learning rate %g, %s", count(l.Epochs, "epoch"), l.Batch, l.Optimizer, l.LR, l.LRSchedule)},
			{Name: "strategy", Value: o.cfg.Strategy}, {Name: "seed", Value: strconv.FormatUint(o.cfg.Seed, 10)},
		},
		Command: o.command,
		Summary: o.summary, Rounds: o.rounds, Unit: "round", Label: "federated",
	}
	if card, err := report.ReadModel(o.folder.Path(report.CardFile)); err == nil {
		r.Model = card
	}
	if o.baselines != nil {
		for _, b := range o.baselines.Sites {
			r.Baselines = append(r.Baselines, report.Baseline{Name: b.Site + " alone", Accuracy: b.Accuracy, Site: true})
		}
		r.Baselines = append(r.Baselines, report.Baseline{Name: "all data in one place", Accuracy: o.baselines.Central.Accuracy})
	}
	return r
}
