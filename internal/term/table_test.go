package term

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var comparison = Table{
	Title:   "What the federation was worth",
	Columns: []Column{{Title: "trained on"}, {Title: "accuracy", Right: true}, {Bar: true}},
	Rows: []Row{
		{Cells: []string{"site-01 alone", "78.20 %", "0.782"}},
		{Cells: []string{"all sites, federated", "95.41 %", "0.9541"}, Strong: true},
		{Cells: []string{"all data in one place", "100.00 %", "1"}},
	},
}

func TestTableElsewhereIsPlain(t *testing.T) {
	for _, c := range []struct{ locale, want string }{
		{"C.UTF-8", `What the federation was worth

trained on             accuracy
─────────────────────────────────────────────────────────
site-01 alone           78.20 %  ██████████████████▊
all sites, federated    95.41 %  ██████████████████████▉
all data in one place  100.00 %  ████████████████████████
`},
		{"C", `What the federation was worth

trained on             accuracy
---------------------------------------------------------
site-01 alone           78.20 %  ###################
all sites, federated    95.41 %  #######################
all data in one place  100.00 %  ########################
`},
	} {
		t.Setenv("LC_ALL", c.locale)
		var b strings.Builder
		if err := comparison.Print(&b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, b.String()); diff != "" {
			t.Errorf("%s: table differs (-want +got):\n%s", c.locale, diff)
		}
	}
}

func TestTableDropsBarsThatDoNotFit(t *testing.T) {
	narrow := look{width: 40, unicode: true}
	want := strings.Join([]string{
		"trained on             accuracy",
		"───────────────────────────────",
		"site-01 alone           78.20 %",
		"all sites, federated    95.41 %",
		"all data in one place  100.00 %",
	}, "\n")
	if diff := cmp.Diff(want, trimLines(comparison.render(narrow))); diff != "" {
		t.Errorf("table differs (-want +got):\n%s", diff)
	}
}
