package config

import "testing"

func TestSuggest(t *testing.T) {
	known := []string{"name", "seed", "local", "local.lr", "local.epochs", "local.steps", "simulation.data", "simulation.dataset"}
	for unknown, want := range map[string]string{
		"nam":               "name",
		"seeds":             "seed",
		"epochs":            "local.epochs",
		"local.epoch":       "local.epochs",
		"local.LR":          "local.lr",
		"local.seed":        "seed",
		"simulation.datas":  "simulation.data",
		"local.temperature": "",
		"xy":                "",
	} {
		if got := suggest(unknown, known); got != want {
			t.Errorf("suggest(%q): got %q, want %q", unknown, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q): got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
