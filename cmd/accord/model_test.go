package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/model/train"
)

// trainTiny trains a small model and returns its path and the data flags.
func trainTiny(t *testing.T) (path string, data []string) {
	t.Helper()
	files := tinyFiles(t, "train", "test")
	out := filepath.Join(t.TempDir(), "run")
	mustAccord(t, append([]string{"train", "--epochs", "3", "--optimizer", "sgd", "--out", out}, files...)...)
	return filepath.Join(out, report.ModelFile), files[2:]
}

func TestModelShow(t *testing.T) {
	path, _ := trainTiny(t)
	var shown shownModel
	decode(t, mustAccord(t, "model", "show", "--json", path), &shown)
	if shown.Parameters != 34 || len(shown.Tensors) != 2 || shown.Tensors[0].Name != "00.kernel" {
		t.Errorf("got %+v, want 34 parameters in 2 tensors", shown)
	}
	if shown.Card == nil || shown.Card.Digest != shown.Digest {
		t.Error("the model card is missing")
	}
	if text := mustAccord(t, "model", "show", path); !strings.Contains(text, "00.kernel") || !strings.Contains(text, shown.Digest) {
		t.Errorf("got %s", text)
	}
}

func TestModelShowDoesNotTrustAnotherModelsCard(t *testing.T) {
	path, _ := trainTiny(t)
	weights, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	weights[len(weights)-1] ^= 1
	writeFile(t, path, string(weights))
	r := accord(t, "model", "show", "--json", path)
	var shown shownModel
	decode(t, r.stdout, &shown)
	if shown.Card != nil || r.code != exitInput || !strings.Contains(r.stderr, "is damaged, or is not the model") {
		t.Errorf("got card %+v, code %d and stderr %q", shown.Card, r.code, r.stderr)
	}
	// Under a name of its own it is whatever it is.
	other := filepath.Join(filepath.Dir(path), "other.safetensors")
	writeFile(t, other, string(weights))
	var another shownModel
	decode(t, mustAccord(t, "model", "show", "--json", other), &another)
	if another.Card != nil || another.Digest != shown.Digest {
		t.Errorf("got %+v", another)
	}
}

// Whatever reads a published model finds out when it is damaged.
func TestADamagedModelIsNotUsed(t *testing.T) {
	path, data := trainTiny(t)
	weights, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	weights[len(weights)-1] ^= 1
	writeFile(t, path, string(weights))
	files := tinyFiles(t, "train", "test")
	for _, args := range [][]string{
		append([]string{"model", "eval", path}, data...),
		append([]string{"train", "--init", path, "--out", filepath.Join(t.TempDir(), "out"), "--epochs", "1"}, files...),
		append([]string{"simulate", "--init", path, "--out", filepath.Join(t.TempDir(), "out"), "--sites", "2"}, files...),
	} {
		if r := accord(t, args...); r.code != exitInput || !strings.Contains(r.stderr, "is damaged, or is not the model") {
			t.Errorf("%v: code %d, stderr %q", args, r.code, r.stderr)
		}
	}
}

func TestModelEvalAgreesWithTraining(t *testing.T) {
	path, data := trainTiny(t)
	card, err := report.ReadModel(filepath.Join(filepath.Dir(path), report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	var evaluation train.Evaluation
	decode(t, mustAccord(t, append([]string{"model", "eval", path, "--json"}, data...)...), &evaluation)
	if evaluation.Accuracy != *card.Accuracy || evaluation.Loss != *card.Loss || evaluation.AUC == nil {
		t.Errorf("got %+v, want accuracy %v and loss %v", evaluation, *card.Accuracy, *card.Loss)
	}
	if text := mustAccord(t, append([]string{"model", "eval", path}, data...)...); !strings.Contains(text, "sensitivity") {
		t.Errorf("got %s", text)
	}
	if r := accord(t, append([]string{"model", "eval", path, "--split", "validation"}, data...)...); r.code != exitInput {
		t.Errorf("a split that is not there: got %+v", r)
	}
}

func TestModelPredict(t *testing.T) {
	path, data := trainTiny(t)
	out := mustAccord(t, append([]string{"model", "predict", path, "--count", "3", "--first", "1"}, data...)...)
	if !strings.Contains(out, "test 1") || !strings.Contains(out, "test 3") {
		t.Errorf("got %s", out)
	}
	if r := accord(t, append([]string{"model", "predict", path, "--first", "60"}, data...)...); r.code != exitInput {
		t.Errorf("beyond the last image: got %+v", r)
	}

	bright := filepath.Join(t.TempDir(), "right.png")
	drawPNG(t, bright, 4)
	var p prediction
	decode(t, mustAccord(t, "model", "predict", path, bright, "--json"), &p)
	if p.Class != 1 || len(p.Probabilities) != 2 || p.Image != bright || p.Label != nil {
		t.Errorf("got %+v, want class 1", p)
	}

	large := filepath.Join(t.TempDir(), "large.png")
	drawPNG(t, large, 5)
	if r := accord(t, "model", "predict", path, large); r.code != exitInput || !strings.Contains(r.stderr, "5×5 pixels, the network takes 4×4") {
		t.Errorf("a picture of another size: got %+v", r)
	}
}

// drawPNG writes a square picture that is bright on the right.
func drawPNG(t *testing.T, path string, side int) {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := side / 2; x < side; x++ {
			picture.SetGray(x, y, color.Gray{Y: 200})
		}
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(file, picture); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
