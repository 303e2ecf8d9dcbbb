package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/accord-fl/accord/internal/report"
)

// fakeMode makes the test binary play accord: its value is what happens in
// round 4.
const fakeMode = "ACCORD_FEDAVG_FAKE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeMode); mode != "" {
		os.Exit(fake(mode, os.Args[1:]))
	}
	interval = 20 * time.Millisecond
	os.Exit(m.Run())
}

// fake leaves a run folder as accord simulate does, a round for each percent
// of accuracy above 90.
func fake(mode string, args []string) int {
	flag := func(name string) string { return args[slices.Index(args, name)+1] }
	if args[0] != "simulate" {
		return 2
	}
	// An interrupt may come while a file is written, which accord ends first.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt)
	var dir string
	if slices.Contains(args, "--resume") {
		dir = flag("--resume")
	} else {
		dir = flag("--out")
		if os.Mkdir(dir, 0o755) != nil || os.WriteFile(filepath.Join(dir, runFile), []byte(flag("--rounds")), 0o644) != nil {
			return 5
		}
	}
	path := filepath.Join(dir, report.MetricsFile)
	before, _ := report.ReadMetrics(path)
	text, err := os.ReadFile(filepath.Join(dir, runFile))
	limit, _ := strconv.Atoi(string(text))
	metrics, openErr := report.OpenMetrics(path)
	if err != nil || openErr != nil {
		return 3
	}
	rounds := min(limit, 9)
	if mode == "collapse" {
		rounds = 3 + collapseRounds
	}
	for n := len(before) + 1; n <= rounds; n++ {
		accuracy := 0.9 + 0.01*float64(n)
		if n == 4 {
			switch mode {
			case "crash":
				return 1
			case "diverge":
				fmt.Fprintln(os.Stderr, "accord: run mnist failed in round 4: (site-014: failed: training diverged: the loss of step 7 is NaN)")
				return 1
			case "ended":
				fmt.Fprintln(os.Stderr, "accord: simulation: the run in DIR has ended already: failed after 3 versions: (site-014: failed: training diverged: the loss of step 7 is NaN)")
				return 5
			case "wait":
				<-asked
				return 130
			}
		}
		if n >= 4 && mode == "collapse" {
			accuracy = 0.1
		}
		if metrics.Append(report.Round{Round: n, Accuracy: &accuracy, Samples: 6000, TrainSeconds: 0.5}) != nil ||
			os.WriteFile(filepath.Join(dir, report.CardFile), []byte(`{"lineage": {"kernel": "fake"}}`), 0o644) != nil {
			return 1
		}
	}
	if mode == "collapse" {
		<-asked
		return 130
	}
	if metrics.Close() != nil || os.WriteFile(filepath.Join(dir, report.ReportFile), nil, 0o644) != nil {
		return 1
	}
	return 0
}
