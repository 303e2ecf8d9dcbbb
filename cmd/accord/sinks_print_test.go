package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
)

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

// printed is a sink that writes lines.
func printed(name string, write func(w io.Writer, text string) error) sink {
	return sink{name, func(t *testing.T, text string) map[kind]string {
		t.Helper()
		var b bytes.Buffer
		if err := write(&b, text); err != nil {
			t.Fatal(err)
		}
		return map[kind]string{terminal: b.String()}
	}}
}

// printers are what writes for people, each given its own types with nothing but
// hostile texts in them: as if nothing had been refused where it came in.
func printers() []sink {
	now := time.Unix(1e9, 0)
	return []sink{
		printed("an inspection", func(w io.Writer, text string) error {
			return printInspection(w, filled[participant.Inspection](text))
		}),
		printed("members", func(w io.Writer, text string) error {
			return membersTable(filled[[]coordinator.Member](text), now).Print(w)
		}),
		printed("the readiness of sites", func(w io.Writer, text string) error {
			m := filled[coordinator.Member](text)
			m.Role, m.State = coordinator.RoleParticipant, coordinator.Attending
			return readyTable([]coordinator.Member{m}, func(coordinator.Member) string { return text }).Print(w)
		}),
		printed("changes of members", func(w io.Writer, text string) error {
			return printChanges(w, map[string]string{}, filled[[]coordinator.Member](text))
		}),
		printed("a run", func(w io.Writer, text string) error {
			_, err := io.WriteString(w, string(describe(filled[coordinator.RunStatus](text))))
			return err
		}),
		printed("a model", func(w io.Writer, text string) error { return filled[shownModel](text).print(w) }),
		printed("an evaluation", func(w io.Writer, text string) error {
			e := train.Evaluation{PerClass: []float64{0.5, 1}, Confusion: [][]int{{1, 1}, {0, 2}}}
			return printEvaluation(w, trained{names: []string{text, text}}, e)
		}),
		printed("predictions", func(w io.Writer, text string) error {
			return printPredictions(w, trained{names: []string{text}}, filled[[]prediction](text), false)
		}),
		printed("statistics", func(w io.Writer, text string) error {
			s := filled[dataStats](text)
			s.Classes = len(s.ClassNames)
			return s.print(w)
		}),
		printed("findings", func(w io.Writer, text string) error {
			return printFindings(w, filled[[]participant.Finding](text), false)
		}),
	}
}

// others are what writes texts that are no answer to a person's question.
func others() []sink {
	return []sink{
		printed("progress", func(w io.Writer, text string) error {
			p := term.New(w, term.Options{Title: text, Unit: text, Parts: text})
			p.Line(text)
			p.Update(term.Snapshot{Phase: text, Round: 1, Rounds: 2, Total: 3})
			p.Close()
			return nil
		}),
		printed("an error", func(w io.Writer, text string) error {
			printError(w, newRoot(nil, nil), errors.Join(fmt.Errorf("a: %w", errors.New(text)), errors.New(text)))
			return nil
		}),
		printed("a log on a terminal", func(w io.Writer, text string) error {
			return logged(quoting(consoleEncoder(zapcore.CapitalLevelEncoder)), w, text)
		}),
		printed("a question", func(w io.Writer, text string) error {
			if err := confirm(strings.NewReader("y\n"), w, removal([]string{text, text}, true)); err != nil {
				return err
			}
			return confirm(strings.NewReader("y\n"), w, removal([]string{text}, false))
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

// The colours of our own survive: a person who watches sees warnings stand out.
func TestLogKeepsItsColours(t *testing.T) {
	var b bytes.Buffer
	if err := logged(quoting(consoleEncoder(zapcore.CapitalColorLevelEncoder)), &b, harmless); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "\x1b[34mINFO\x1b[0m") {
		t.Errorf("got %q, want the level in colour", got)
	}
}
