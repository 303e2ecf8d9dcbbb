package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/accord-fl/accord/internal/quote"
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
	rows := make([][]markup, len(r.Settings))
	for i, s := range r.Settings {
		rows[i] = []markup{plain(s.Name), plain(s.Value)}
	}
	p.table([]markup{"setting", "value"}, rows)
	r.reproduce(p, files)
	r.meaning(p)
}

// results is the table of what came out, and the curves.
func (r Report) results(p page) {
	s := r.Summary
	p.text("## Result")
	rows := [][]markup{{"test accuracy", percent(s.Accuracy)}}
	if r.Model.Loss != nil {
		rows = append(rows, []markup{"test loss", number("%.4f", *r.Model.Loss)})
	}
	for _, more := range []struct {
		name  markup
		value *float64
	}{{"AUC", s.AUC}, {"sensitivity", s.Sensitivity}, {"specificity", s.Specificity}} {
		if more.value != nil {
			rows = append(rows, []markup{more.name, number("%.4f", *more.value)})
		}
	}
	rows = append(rows,
		[]markup{"kept model", plain(fmt.Sprintf("%s %d of %d", r.Unit, r.Model.Lineage.Round, s.Rounds))},
		[]markup{plain("best " + r.Unit), percent(s.BestAccuracy)})
	if s.RoundsToTarget != nil {
		rows = append(rows, []markup{plain(r.Unit + "s to the target"), number("%d", *s.RoundsToTarget)})
	}
	rows = append(rows,
		[]markup{"time", plain(fmt.Sprintf("%.1f s, of which %.1f s training", s.Seconds, s.TrainSeconds))},
		[]markup{"speed", plain(humanize.Comma(int64(s.SamplesPerSecond)) + " samples/s")})
	if s.PeakRSSBytes > 0 {
		rows = append(rows, []markup{"memory at the peak", plain(humanize.IBytes(uint64(s.PeakRSSBytes)))})
	}
	p.table([]markup{"", ""}, rows)
	if !(Curves{Rounds: r.Rounds}).Empty() {
		p.text("![test accuracy by %s](%s)", r.Unit, markup(CurvesSVG))
	}
}

// comparison lists what the model is measured against.
func (r Report) comparison(p page) {
	if len(r.Baselines) == 0 || r.Summary.Accuracy == nil {
		return
	}
	p.text("## What training together was worth")
	rows := [][]markup{{"**" + plain(r.Label) + "**", "**" + percent(r.Summary.Accuracy) + "**", ""}}
	for _, b := range r.Baselines {
		rows = append(rows, []markup{plain(b.Name), percent(&b.Accuracy), number("%+.2f", 100*(*r.Summary.Accuracy-b.Accuracy))})
	}
	p.table([]markup{"trained on", "test accuracy", "the model gains (points)"}, rows)
}

// classes lists the accuracy of each class, at most a hundred.
func (r Report) classes(p page) {
	perClass := r.Model.PerClassAccuracy
	if len(perClass) == 0 || len(perClass) > 100 {
		return
	}
	p.text("## Accuracy of each class")
	rows := make([][]markup, len(perClass))
	for i := range perClass {
		name := strconv.Itoa(i)
		if i < len(r.Model.ClassNames) {
			name = r.Model.ClassNames[i]
		}
		rows[i] = []markup{plain(name), percent(&perClass[i])}
	}
	p.table([]markup{"class", "test accuracy"}, rows)
}

// reproduce tells how to get the same model again, and how to know it is.
func (r Report) reproduce(p page, files []fileDigest) {
	lineage := r.Model.Lineage
	p.text("## How to reproduce")
	p.text("```sh\n%s\n```", markup(ShellLine(r.Command)))
	p.text("The same command on the same kind of processor gives a model with the same digest, bit for bit.")
	rows := [][]markup{
		{"model digest", code(r.Model.Digest)},
		{"seed", number("%d", lineage.Seed)},
		{"kernel", code(lineage.Kernel)},
		{"Accord", code(lineage.Code)},
	}
	if lineage.Dataset != "" {
		rows = append(rows, []markup{"training data", code(lineage.Dataset)})
	}
	if lineage.Parent != "" {
		rows = append(rows, []markup{"started from", code(lineage.Parent)})
	}
	p.table([]markup{"", ""}, rows)
	rows = nil
	for _, f := range files {
		rows = append(rows, []markup{link(f.name), code(f.digest)})
	}
	p.table([]markup{"file", "SHA-256"}, rows)
	p.text("The numbers of every %s are in %s.", r.Unit, link(MetricsFile))
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

// markup is Markdown that stands on a page as it is: a text of ours, or one that
// was quoted.
type markup string

// plain quotes a text that may be another party's.
func plain(s string) markup { return markup(quote.Markdown(s)) }

func code(s string) markup { return markup(quote.Code(s)) }

// link leads to a file of ours beside the page.
func link(file string) markup { return markup(fmt.Sprintf("[%s](%s)", file, file)) }

func number[T int | uint64 | float64](format string, n T) markup {
	return markup(fmt.Sprintf(format, n))
}

// page writes Markdown blocks. Its writer is a buffer, which never fails.
type page struct{ w io.Writer }

// text writes a block. Arguments that are strings are quoted.
func (p page) text(format string, args ...any) {
	for i, arg := range args {
		if s, ok := arg.(string); ok {
			args[i] = plain(s)
		}
	}
	_, _ = fmt.Fprintf(p.w, format+"\n\n", args...)
}

func (p page) table(header []markup, rows [][]markup) {
	line := func(cells []markup) {
		for _, cell := range cells {
			_, _ = fmt.Fprintf(p.w, "| %s ", cell)
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

// percent formats a share, a dash when it is not known.
func percent(share *float64) markup {
	if share == nil {
		return "–"
	}
	return number("%.2f %%", 100**share)
}

// ShellLine joins a program and its arguments to one line that a POSIX shell takes
// apart again. An argument that cannot be shown as it is is written in the shell's
// own escapes ($'…').
func ShellLine(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if !quote.Printable(arg) {
			quoted[i] = escaped(arg)
		} else if arg == "" || strings.ContainsFunc(arg, special) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// escaped writes every byte that is not printable ASCII in octal.
func escaped(arg string) string {
	var b strings.Builder
	for _, c := range []byte(arg) {
		switch {
		case c == '\'' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return "$'" + b.String() + "'"
}

// special reports whether r may mean something to a shell.
func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	default:
		return !strings.ContainsRune("-_./:=@%+,", r)
	}
}
