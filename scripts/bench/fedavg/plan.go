package main

import (
	"fmt"
	"math"
	"strconv"
)

// Partitions of the data and schedules of the learning rate, as the flags of
// accord name them.
const (
	iid      = "iid"
	shards   = "shards:2" // the paper's non-IID split: two shards of one digit each
	constant = "constant"
	falling  = "inverse_sqrt"
)

const (
	target   = 0.99
	perRound = 6000 // samples that a round's sites hold: a tenth of 60,000
)

// setting is a row of the paper's Table 2 for the CNN: what a site does in a
// round, and the rounds that the paper needed.
type setting struct {
	epochs, batch int // batch 0: the whole shard
	iid, shards   int
}

// settings are the rows in the paper's order: by steps a round.
func settings() []setting {
	return []setting{
		{1, 0, 626, 483}, // FedSGD
		{5, 0, 179, 1000},
		{1, 50, 65, 600},
		{20, 0, 234, 672},
		{1, 10, 34, 350},
		{5, 50, 29, 334},
		{20, 50, 32, 426},
		{5, 10, 20, 229},
		{20, 10, 18, 173},
	}
}

// paper returns the paper's rounds in a partition.
func (s setting) paper(partition string) int {
	if partition == iid {
		return s.iid
	}
	return s.shards
}

// group is a column of the table: the settings share the learning rate that is
// best, of its rates, in the setting searched.
type group struct {
	partition, schedule string
	rates               []float64
}

// searched is the setting in which learning rates are tried.
var searched = setting{5, 10, 20, 229}

// groups are the columns. A rate of 1/√t begins higher than one that stays; with
// 0.4 in the first round nothing is learnt, in either partition.
func groups() []group {
	return []group{
		{iid, constant, []float64{0.05, 0.1, 0.2}},
		{iid, falling, []float64{0.1, 0.2, 0.3}},
		{shards, constant, []float64{0.05, 0.1, 0.2}},
		{shards, falling, []float64{0.1, 0.2, 0.3}},
	}
}

// Steps on a whole shard have far less noisy gradients, and bear a higher rate:
// FedSGD is four points better after 150 rounds with 0.3 than with 0.1. It does
// not learn at all with 0.6.
const (
	wholeShardFactor = 3
	wholeShardLimit  = 0.3
)

// rate returns the setting's learning rate where best is the one searched.
func (s setting) rate(best float64) float64 {
	if s.batch > 0 {
		return best
	}
	tripled := math.Round(wholeShardFactor*best*1e6) / 1e6 // 0.15, not 0.15000000000000002
	return min(tripled, wholeShardLimit)
}

// cell is one federation to train until it is accurate enough.
type cell struct {
	group
	setting
	lr float64 // 0: not known before the group's rates have been tried
}

// name tells cells apart, those of different learning rates too.
func (c cell) name() string {
	batch, lr := "all", "best"
	if c.batch > 0 {
		batch = strconv.Itoa(c.batch)
	}
	if c.lr > 0 {
		lr = strconv.FormatFloat(c.lr, 'g', 4, 64)
	}
	return fmt.Sprintf("%s %s E=%d B=%s lr=%s", c.partition, c.schedule, c.epochs, batch, lr)
}

// limit is how many rounds the cell may take: twice the paper's.
func (c cell) limit() int { return 2 * c.paper(c.partition) }

// cost is the number of samples that the cell trains on at most.
func (c cell) cost() int64 { return int64(c.limit()) * perRound * int64(c.epochs) }

// candidates are the group's cells that search its learning rate.
func (g group) candidates() []cell {
	var cells []cell
	for _, lr := range g.rates {
		cells = append(cells, cell{group: g, setting: searched, lr: lr})
	}
	return cells
}

// others are the group's cells whose learning rate follows from the search.
func (g group) others() []cell {
	var cells []cell
	for _, s := range settings() {
		if s != searched {
			cells = append(cells, cell{group: g, setting: s})
		}
	}
	return cells
}

// plan lists all cells in the order to measure them in: the cheapest first, of
// those whose learning rate is known by then.
func plan() []cell {
	var ordered, ready []cell
	missing := map[string]int{} // candidates to come, by column
	for _, g := range groups() {
		ready = append(ready, g.candidates()...)
		missing[g.partition+g.schedule] = len(g.rates)
	}
	for len(ready) > 0 {
		next := 0
		for i, c := range ready {
			if c.cost() < ready[next].cost() {
				next = i
			}
		}
		c := ready[next]
		ordered, ready = append(ordered, c), append(ready[:next], ready[next+1:]...)
		if c.lr > 0 {
			column := c.partition + c.schedule
			if missing[column]--; missing[column] == 0 {
				ready = append(ready, c.others()...)
			}
		}
	}
	return ordered
}
