package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
)

// harmless is what hostile texts are compared with.
const harmless = "harmless"

// hostile are texts that other parties may send, or put into files.
var hostile = map[string]string{
	"clears the screen":    "\x1b[2J\x1b[H",
	"sets the title":       "\x1b]0;x\x07",
	"goes up a line":       "\r\x1b[1Aapproved",
	"a line of its own":    "a\nforged  participant  attending",
	"a line of accord":     "a\naccord: all is well\n",
	"other line breaks":    "a\r\nb\vc\fd\u0085e\u2028f\u2029g",
	"C1 controls and DEL":  "\u009b31m\x7f",
	"another direction":    "\u202egnp.exe\u2066a\u2069\u200f\u061c",
	"characters unseen":    "a\u200b\u200d\ufeff\u00ad\U000e0041",
	"marks upon marks":     "\u0301" + strings.Repeat("a\u0301\u0302\u0303\u0304\u0305\u0306", 20),
	"not UTF-8":            "a\xff\xc2b",
	"a row of Markdown":    "a | b |\n|---|---|\n| c",
	"markup of Markdown":   "**a** _b_ `c` [d](https://e.example) ![f](g.png) ~h~",
	"links by themselves":  "https://a.example www.b.example c@d.example",
	"a heading":            "# a",
	"a fence":              "```\n# a",
	"markup of SVG":        `</text><script>alert(1)</script><image href="x"/>&amp;`,
	"a comment":            "--><!-- a",
	"a string of a format": "%s%d%!x(MISSING)\\x1b",
	"text of JSON":         `","admin":true,"x":"`,
	"a formula":            "=1+1",
	"too long":             strings.Repeat("long ", 5000),
}

// sink is a place where texts of other parties are shown. show puts text where such
// a party can, and returns what is then to be seen, by what it is: a terminal's
// lines, a Markdown page, JSON or SVG.
type sink struct {
	name string
	show func(t *testing.T, text string) map[kind]string
}

// kind is the syntax of what is shown.
type kind string

const (
	terminal kind = "terminal"
	markdown kind = "markdown"
	jsonText kind = "json"
	svg      kind = "svg"
)

// TestSinks feeds each place where texts of other parties are shown with hostile
// ones. None may hold a character that does more than be seen, and each must have
// as many lines, cells and elements as with a harmless text, unless the text was
// refused where it came in.
func TestSinks(t *testing.T) {
	for _, s := range append(append(fileSinks(), peerSinks(t)...), printers()...) {
		t.Run(s.name, func(t *testing.T) {
			want := s.show(t, harmless)
			for k, shown := range want {
				if !strings.Contains(shown, harmless) {
					t.Fatalf("%s does not show the text:\n%s", k, shown)
				}
			}
			for name, text := range hostile {
				got := s.show(t, text)
				for k, shown := range got {
					if k == svg {
						shown = strings.ReplaceAll(shown, "\t", " ") // the canvas indents
					}
					wantPrintable(t, name, shown)
					refused := k == terminal && strings.HasPrefix(shown, "accord: ")
					if a, b := outline(t, k, want[k]), outline(t, k, shown); a != b && !refused {
						t.Errorf("%s: %s is %s, with a harmless text %s:\n%.2000s", name, k, b, a, shown)
					}
					if strings.Contains(shown, "\naccord: all is well") {
						t.Errorf("%s: forged a line:\n%s", name, shown)
					}
				}
			}
		})
	}
}

// wantPrintable finds characters that could do more than be seen.
func wantPrintable(t *testing.T, name, shown string) {
	t.Helper()
	if !utf8.ValidString(shown) {
		t.Errorf("%s: not valid UTF-8: %.300q", name, shown)
	}
	for i, r := range shown {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point) {
			t.Errorf("%s: %U in %.300q", name, r, shown[max(0, i-100):])
			return
		}
	}
}

// outline says of how many parts a text is.
func outline(t *testing.T, k kind, shown string) string {
	t.Helper()
	switch k {
	case svg:
		return fmt.Sprint(countElements(t, shown), " elements")
	case markdown:
		return fmt.Sprintf("%d lines, %d bars", strings.Count(shown, "\n"), bars(shown))
	case jsonText:
		return fmt.Sprint(countKeys(t, shown), " values")
	default:
		return fmt.Sprint(strings.Count(shown, "\n"), " lines")
	}
}

// bars counts those that separate cells. In the block of code none does.
func bars(page string) int {
	before, rest, _ := strings.Cut(page, "\n```sh\n")
	_, after, _ := strings.Cut(rest, "\n```\n")
	page = before + after
	n, escaped := 0, false
	for _, c := range page {
		if c == '|' && !escaped {
			n++
		}
		escaped = c == '\\' && !escaped
	}
	return n
}

func countElements(t *testing.T, text string) (n int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := token.(xml.StartElement); ok {
			n++
		}
	}
}

func countKeys(t *testing.T, text string) (n int) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("%v in %.500s", err, text)
		}
		n++
	}
}

// fill sets every text in what v points to.
func fill(v any, text string) { fillValue(reflect.ValueOf(v).Elem(), text) }

func fillValue(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*model.Spec]() {
			return // it has no free text
		}
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillValue(v.Index(0), text)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillValue(key, text)
		fillValue(value, text)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillValue(v.Field(i), text)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			fillValue(v.Index(i), text)
		}
	}
}

// filled returns a T all of whose texts are text.
func filled[T any](text string) T {
	var v T
	fill(&v, text)
	return v
}

// printers are what writes for people, each given its own types with nothing but
// hostile texts in them: as if nothing had been refused where it came in.
func printers() []sink {
	now := time.Unix(1e9, 0)
	print := func(name string, print func(w io.Writer, text string) error) sink {
		return sink{name, func(t *testing.T, text string) map[kind]string {
			t.Helper()
			var b bytes.Buffer
			if err := print(&b, text); err != nil {
				t.Fatal(err)
			}
			return map[kind]string{terminal: b.String()}
		}}
	}
	return []sink{
		print("an inspection", func(w io.Writer, text string) error {
			return printInspection(w, filled[participant.Inspection](text))
		}),
		print("members", func(w io.Writer, text string) error {
			return membersTable(filled[[]coordinator.Member](text), now).Print(w)
		}),
		print("changes of members", func(w io.Writer, text string) error {
			return printChanges(w, map[string]string{}, filled[[]coordinator.Member](text))
		}),
		print("a run", func(w io.Writer, text string) error {
			_, err := io.WriteString(w, string(describe(filled[coordinator.RunStatus](text))))
			return err
		}),
		print("a model", func(w io.Writer, text string) error { return filled[shownModel](text).print(w) }),
		print("an evaluation", func(w io.Writer, text string) error {
			e := train.Evaluation{PerClass: []float64{0.5, 1}, Confusion: [][]int{{1, 1}, {0, 2}}}
			return printEvaluation(w, trained{names: []string{text, text}}, e)
		}),
		print("predictions", func(w io.Writer, text string) error {
			return printPredictions(w, trained{names: []string{text}}, filled[[]prediction](text), false)
		}),
		print("statistics", func(w io.Writer, text string) error {
			s := filled[dataStats](text)
			s.Classes = len(s.ClassNames)
			return s.print(w)
		}),
		print("findings", func(w io.Writer, text string) error {
			return printFindings(w, filled[[]participant.Finding](text), false)
		}),
		print("progress", func(w io.Writer, text string) error {
			p := term.New(w, term.Options{Title: text, Unit: text, Parts: text})
			p.Line(text)
			p.Update(term.Snapshot{Phase: text, Round: 1, Rounds: 2, Total: 3})
			p.Close()
			return nil
		}),
		print("an error", func(w io.Writer, text string) error {
			printError(w, newRoot(nil, nil), errors.Join(fmt.Errorf("a: %w", errors.New(text)), errors.New(text)))
			return nil
		}),
		print("a log on a terminal", func(w io.Writer, text string) error {
			return logged(quoting(consoleEncoder(zapcore.CapitalLevelEncoder)), w, text)
		}),
		{"a log", func(t *testing.T, text string) map[kind]string {
			t.Helper()
			var b bytes.Buffer
			if err := logged(logEncoder(&b), &b, text); err != nil {
				t.Fatal(err)
			}
			return map[kind]string{jsonText: b.String()}
		}},
		{"a report", showReport},
	}
}

// logged writes a line with text wherever a log has room for one.
func logged(e zapcore.Encoder, w io.Writer, text string) error {
	log := zap.New(zapcore.NewCore(e, zapcore.AddSync(w), zapcore.DebugLevel))
	log.Info(text, zap.String("a", text), zap.Error(errors.New(text)), zap.Strings("b", []string{text}), zap.Any("c", map[string]string{text: text}))
	return log.Sync()
}

// showReport writes a run folder in which all texts are text.
func showReport(t *testing.T, text string) map[kind]string {
	t.Helper()
	folder, err := report.Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	r := filled[report.Report](text)
	accuracy := 0.5
	r.Summary.Accuracy, r.Rounds = &accuracy, []report.Round{{Round: 1, Accuracy: &accuracy, ValAccuracy: &accuracy}}
	r.Model.PerClassAccuracy = []float64{0.5, 1}
	r.Model.ClassNames = []string{text, text}
	err = errors.Join(
		folder.WriteModel(func(w io.Writer) error { _, err := io.WriteString(w, "weights"); return err }, r.Model),
		folder.WriteReport(r),
	)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[kind]string{}
	for k, name := range map[kind]string{markdown: report.ReportFile, svg: report.CurvesSVG, jsonText: report.CardFile} {
		data, err := os.ReadFile(folder.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		shown[k] = string(data)
	}
	return shown
}
