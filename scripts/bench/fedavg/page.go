package main

import (
	"fmt"
	"strings"
)

// unknown stands for what has not been measured yet.
const unknown = "–"

// figure tells a result in a few characters.
func (r result) figure() string {
	switch {
	case r.ToTarget != nil:
		return fmt.Sprint(*r.ToTarget)
	case r.Diverged:
		return fmt.Sprintf("diverged after %d", r.Rounds)
	case r.Collapsed > 0:
		return fmt.Sprintf("collapsed after %d", r.Collapsed)
	default:
		return fmt.Sprintf("> %d (%s)", r.Rounds, percent(r.Best))
	}
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

// page is docs/fedavg.md.
func (r *results) page() string {
	return fmt.Sprintf(`# Rounds to 99 %%

Written by %[1]sgo run ./scripts/bench/fedavg%[1]s; do not edit.

How many rounds federated averaging takes to reach 99 %% test accuracy on MNIST over
100 sites, ten of them in every round (C = 0.1): Accord beside Table 2 of McMahan et
al., "Communication-Efficient Learning of Deep Networks from Decentralized Data"
(2017). A site makes E passes over its 600 images in batches of B, which is u steps a
round. A run may take twice the paper's rounds: %[1]s> 40 (98.90 %%)%[1]s is one that ended
there, and the best accuracy that it saw. %[1]sdiverged%[1]s is one whose losses were no
numbers any more, and %[1]scollapsed%[1]s one that was ended because its model did no better
than guess in the next %[8]d rounds. A best accuracy near 10 %% is a guess, too: nothing
was learnt in any round. %[2]s is not measured yet.

%[3]s
Two digits: sorted by digit, cut into 200 shards, two shards for each site.

## Learning rates

They were tried with E = 5 and B = 10, for each split of the data and each schedule,
and the best, which is **bold**, is that of the other cells too. Where B is all, it is
%[4]d times as high, but at most %[7]g, since gradients of whole shards are less noisy.
A schedule is constant, or 1/√t: lr/√t in round t.

%[5]s
## What to know before comparing

- The paper's network has 1,663,370 parameters, 18 times as many as the reference
  network here (93,322). A plain PyTorch loop with the reference network, IID, E = 5,
  B = 10 and a constant rate of 0.1, reaches 98.6 %% in round 20 and 98.95 %% in
  round 40.
- Accord's figure is the first round whose best accuracy so far is 99 %% or more. The
  paper draws the best accuracy so far as a curve and interpolates between rounds,
  which tells up to a round less.
- The paper searched the best of many learning rates in every cell; here there are
  three, in one cell of each column.
- Each figure is one run, with seed 1. Other seeds need some rounds more or less.
- Each figure holds for the order in which the measured version adds, which training
  amplifies. A cell whose %[1]smodel_digest%[1]s is in fedavg.json can be repeated to the
  bit by the same kernels; one without collapsed, or was measured by an earlier
  version: most such come out the same today, some take some rounds more or less.

%[6]s
What each cell took, and the command that does it again, is in
[fedavg.json](fedavg.json).
`, "`", unknown, r.table(), wholeShardFactor, r.rates(), r.state(), wholeShardLimit, collapseRounds)
}

// told is the figure of a cell, if there is one by now.
func (r *results) told(c cell) string {
	if found, ok := r.find(c); ok {
		return found.figure()
	}
	return unknown
}

// table is a row for each of the paper's.
func (r *results) table() string {
	var b strings.Builder
	b.WriteString("| E | B | u | IID: paper | constant | 1/√t | two digits: paper | constant | 1/√t |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, s := range settings() {
		batch, steps := "all", s.epochs
		if s.batch > 0 {
			batch, steps = fmt.Sprint(s.batch), s.epochs*600/s.batch
		}
		fmt.Fprintf(&b, "| %d | %s | %d |", s.epochs, batch, steps)
		for _, g := range groups() {
			if g.schedule == constant { // the first of the partition
				fmt.Fprintf(&b, " %d |", s.paper(g.partition))
			}
			fmt.Fprintf(&b, " %s |", r.told(cell{group: g, setting: s}))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// rates is the table of the learning rates that were tried.
func (r *results) rates() string {
	var b strings.Builder
	b.WriteString("| split | schedule | rounds with each rate |\n|---|---|---|\n")
	for _, g := range groups() {
		split, schedule := "IID", "constant"
		if g.partition == shards {
			split = "two digits"
		}
		if g.schedule == falling {
			schedule = "1/√t"
		}
		best, _ := r.best(g)
		var tried []string
		for _, c := range g.candidates() {
			text := fmt.Sprintf("%g: %s", c.lr, r.told(c))
			if c.lr == best {
				text = "**" + text + "**"
			}
			tried = append(tried, text)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", split, schedule, strings.Join(tried, "; "))
	}
	return b.String()
}

// state tells how much has been measured.
func (r *results) state() string {
	all := plan()
	measured := 0
	for _, c := range all {
		if _, ok := r.find(c); ok {
			measured++
		}
	}
	return fmt.Sprintf("%d of %d cells have been measured.", measured, len(all))
}
