package train

import "slices"

// Evaluation is how well a model does on a set of samples.
type Evaluation struct {
	Samples  int     `json:"samples"`
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"` // mean cross-entropy
	// PerClass is the accuracy among the samples of each class; 0 for a class
	// without samples.
	PerClass []float64 `json:"per_class"`
	// Confusion counts samples by [true class][predicted class].
	Confusion [][]int `json:"confusion"`
	// AUC, Sensitivity and Specificity are for two classes, of which 1 is the
	// positive one. Each is nil where a class it needs has no samples. AUC is
	// the probability that a positive sample scores above a negative one, ties
	// counting half.
	AUC         *float64 `json:"auc,omitempty"`
	Sensitivity *float64 `json:"sensitivity,omitempty"`
	Specificity *float64 `json:"specificity,omitempty"`
}

// summarise counts outcomes in their order. There is at least one.
func summarise(outcomes []outcome, classes int) Evaluation {
	ev := Evaluation{Samples: len(outcomes), PerClass: make([]float64, classes), Confusion: make([][]int, classes)}
	for c := range ev.Confusion {
		ev.Confusion[c] = make([]int, classes)
	}
	for _, o := range outcomes {
		ev.Confusion[o.label][o.predicted]++
		ev.Loss += o.loss
	}
	ev.Loss /= float64(len(outcomes))
	right := 0
	for c, row := range ev.Confusion {
		right += row[c]
		if share := recall(row, c); share != nil {
			ev.PerClass[c] = *share
		}
	}
	ev.Accuracy = float64(right) / float64(len(outcomes))
	if classes == 2 {
		ev.Sensitivity, ev.Specificity = recall(ev.Confusion[1], 1), recall(ev.Confusion[0], 0)
		ev.AUC = auc(outcomes)
	}
	return ev
}

// recall is the share of a class's samples that were recognised, or nil when it
// has none.
func recall(row []int, class int) *float64 {
	total := 0
	for _, n := range row {
		total += n
	}
	if total == 0 {
		return nil
	}
	share := float64(row[class]) / float64(total)
	return &share
}

// auc is the Mann–Whitney statistic of the scores, (R₁ − n₁(n₁+1)/2) / (n₀·n₁)
// with R₁ the sum of the positive samples' ranks, ties sharing their mean rank.
func auc(outcomes []outcome) *float64 {
	sorted := slices.SortedFunc(slices.Values(outcomes), func(a, b outcome) int {
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		}
		return 0
	})
	ranks, positives := 0.0, 0
	for i := 0; i < len(sorted); {
		j, among := i, 0
		for ; j < len(sorted) && sorted[j].score == sorted[i].score; j++ {
			among += int(sorted[j].label)
		}
		if j == i { // a NaN equals nothing, not even itself
			return nil
		}
		ranks += float64(among) * float64(i+1+j) / 2
		positives += among
		i = j
	}
	negatives := len(sorted) - positives
	if positives == 0 || negatives == 0 {
		return nil
	}
	half := float64(positives) * float64(positives+1) / 2
	value := (ranks - half) / (float64(positives) * float64(negatives))
	return &value
}
