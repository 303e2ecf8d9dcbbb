package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// markdown writes the page; files are those beside it.
func (r Report) markdown(w io.Writer, files []fileDigest) {
	p := page{w}
	p.text("# %s", r.Title)
	p.text("%s", r.About)
	r.results(p)
	r.comparison(p)
	r.classes(p)
	p.text("## What was run")
	rows := make([][]string, len(r.Settings))
	for i, s := range r.Settings {
		rows[i] = []string{s.Name, s.Value}
	}
	p.table([]string{"setting", "value"}, rows)
	r.reproduce(p, files)
	r.meaning(p)
}

// results is the table of what came out, and the curves.
func (r Report) results(p page) {
	s := r.Summary
	p.text("## Result")
	rows := [][]string{{"test accuracy", percent(s.Accuracy)}}
	if r.Model.Loss != nil {
		rows = append(rows, []string{"test loss", fmt.Sprintf("%.4f", *r.Model.Loss)})
	}
	for _, more := range []struct {
		name  string
		value *float64
	}{{"AUC", s.AUC}, {"sensitivity", s.Sensitivity}, {"specificity", s.Specificity}} {
		if more.value != nil {
			rows = append(rows, []string{more.name, fmt.Sprintf("%.4f", *more.value)})
		}
	}
	rows = append(rows,
		[]string{"kept model", fmt.Sprintf("%s %d of %d", r.Unit, r.Model.Lineage.Round, s.Rounds)},
		[]string{fmt.Sprintf("best %s", r.Unit), percent(s.BestAccuracy)})
	if s.RoundsToTarget != nil {
		rows = append(rows, []string{fmt.Sprintf("%ss to the target", r.Unit), strconv.Itoa(*s.RoundsToTarget)})
	}
	rows = append(rows,
		[]string{"time", fmt.Sprintf("%.1f s, of which %.1f s training", s.Seconds, s.TrainSeconds)},
		[]string{"speed", humanize.Comma(int64(s.SamplesPerSecond)) + " samples/s"})
	if s.PeakRSSBytes > 0 {
		rows = append(rows, []string{"memory at the peak", humanize.IBytes(uint64(s.PeakRSSBytes))})
	}
	p.table([]string{"", ""}, rows)
	if !(Curves{Rounds: r.Rounds}).Empty() {
		p.text("![test accuracy by %s](%s)", r.Unit, CurvesSVG)
	}
}

// comparison lists what the model is measured against.
func (r Report) comparison(p page) {
	if len(r.Baselines) == 0 || r.Summary.Accuracy == nil {
		return
	}
	p.text("## What training together was worth")
	rows := [][]string{{"**" + r.Label + "**", "**" + percent(r.Summary.Accuracy) + "**", ""}}
	for _, b := range r.Baselines {
		rows = append(rows, []string{b.Name, percent(&b.Accuracy), fmt.Sprintf("%+.2f", 100*(*r.Summary.Accuracy-b.Accuracy))})
	}
	p.table([]string{"trained on", "test accuracy", "the model gains (points)"}, rows)
}

// classes lists the accuracy of each class, at most a hundred.
func (r Report) classes(p page) {
	perClass := r.Model.PerClassAccuracy
	if len(perClass) == 0 || len(perClass) > 100 {
		return
	}
	p.text("## Accuracy of each class")
	rows := make([][]string, len(perClass))
	for i := range perClass {
		name := strconv.Itoa(i)
		if i < len(r.Model.ClassNames) {
			name = r.Model.ClassNames[i]
		}
		rows[i] = []string{name, percent(&perClass[i])}
	}
	p.table([]string{"class", "test accuracy"}, rows)
}

// reproduce tells how to get the same model again, and how to know it is.
func (r Report) reproduce(p page, files []fileDigest) {
	lineage := r.Model.Lineage
	p.text("## How to reproduce")
	p.text("```sh\n%s\n```", ShellLine(r.Command))
	p.text("The same command on the same kind of processor gives a model with the same digest, bit for bit.")
	rows := [][]string{
		{"model digest", code(r.Model.Digest)},
		{"seed", strconv.FormatUint(lineage.Seed, 10)},
		{"kernel", code(lineage.Kernel)},
		{"Accord", code(lineage.Code)},
	}
	if lineage.Dataset != "" {
		rows = append(rows, []string{"training data", code(lineage.Dataset)})
	}
	if lineage.Parent != "" {
		rows = append(rows, []string{"started from", code(lineage.Parent)})
	}
	p.table([]string{"", ""}, rows)
	rows = nil
	for _, f := range files {
		rows = append(rows, []string{fmt.Sprintf("[%s](%s)", f.name, f.name), code(f.digest)})
	}
	p.table([]string{"file", "SHA-256"}, rows)
	p.text("The numbers of every %s are in [%s](%s).", r.Unit, MetricsFile, MetricsFile)
}

// meaning explains the numbers.
func (r Report) meaning(p page) {
	p.text("## What the numbers mean")
	p.text("- **Test accuracy** is the share of the test images that the model names rightly. Nothing is trained on them.\n" +
		"- **Test loss** is the mean cross-entropy on them: how sure the model is of wrong answers; lower is better.\n" +
		"- **Speed** counts every image as often as it was trained on, over the time spent in training.\n" +
		"- **The model digest** is the SHA-256 of `" + ModelFile + "`, which holds tensors and their contract only.")
	if r.Summary.AUC != nil {
		p.text("- **AUC** is the chance that an image of class 1 is scored above one of class 0; **sensitivity** and **specificity** are the accuracies on class 1 and on class 0.")
	}
	for _, round := range r.Rounds {
		if round.ValAccuracy != nil {
			p.text("- The version to keep was chosen on the **validation** set, so the test accuracy is not flattered by the choice.")
			return
		}
	}
}

// page writes Markdown blocks. Its writer is a buffer, which never fails.
type page struct{ w io.Writer }

func (p page) text(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format+"\n\n", args...) }

func (p page) table(header []string, rows [][]string) {
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	line := func(cells []string) {
		for _, cell := range cells {
			_, _ = fmt.Fprintf(p.w, "| %s ", escape.Replace(cell))
		}
		_, _ = fmt.Fprintln(p.w, "|")
	}
	line(header)
	_, _ = fmt.Fprintln(p.w, strings.Repeat("|---", len(header))+"|")
	for _, row := range rows {
		line(row)
	}
	_, _ = fmt.Fprintln(p.w)
}

func code(s string) string { return "`" + s + "`" }

// percent formats a share, a dash when it is not known.
func percent(share *float64) string {
	if share == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f %%", 100**share)
}

// ShellLine joins a program and its arguments to a line that a POSIX shell
// takes apart again.
func ShellLine(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if arg == "" || strings.ContainsFunc(arg, special) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// special tells whether r may mean something to a shell.
func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	default:
		return !strings.ContainsRune("-_./:=@%+,", r)
	}
}
