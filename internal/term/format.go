package term

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Percent formats a share in [0, 1] as "97.53 %".
func Percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

// Clock formats a duration as "0:48", "12:05" or "1:02:03", rounded to seconds.
func Clock(d time.Duration) string {
	s := int(math.Round(max(0, d.Seconds())))
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// counter formats "3/20", with width for the largest so that it does not jump.
func counter(n, of int) string {
	total := fmt.Sprint(of)
	return fmt.Sprintf("%*d/%s", len(total), n, total)
}

// parts formats how much of a round is done, "" when that is not known.
func (o Options) parts(s Snapshot) string {
	switch {
	case s.Total <= 0:
		return ""
	case o.Parts == "bytes":
		return humanize.Bytes(uint64(s.Done)) + " of " + humanize.Bytes(uint64(s.Total))
	default:
		return fmt.Sprintf("%d/%d %s", s.Done, s.Total, o.Parts)
	}
}

// rate formats the speed, "" when it is not known.
func (o Options) rate(s Snapshot) string {
	switch {
	case s.Rate <= 0:
		return ""
	case o.Parts == "bytes":
		return humanize.Bytes(uint64(s.Rate)) + "/s"
	default:
		return humanize.Comma(int64(s.Rate)) + " samples/s"
	}
}

// trainLoss formats the loss of the training going on, "" when it is not known.
func trainLoss(s Snapshot) string {
	if s.TrainLoss <= 0 {
		return ""
	}
	return fmt.Sprintf("training loss %.4f", s.TrainLoss)
}

// times formats elapsed and remaining time.
func (t *tracker) times(now time.Time) []string {
	texts := []string{Clock(now.Sub(t.started)) + " elapsed"}
	if left, ok := t.left(now); ok && left > 0 {
		texts = append(texts, "about "+Clock(left)+" left")
	}
	return texts
}

// sparkline draws the newest values in at most width columns, scaled from the
// lowest of them to the highest; "" for fewer than two.
func sparkline(values []float64, width int) string {
	values = values[max(0, len(values)-width):]
	if len(values) < 2 {
		return ""
	}
	const levels = "▁▂▃▄▅▆▇█"
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	var b strings.Builder
	for _, v := range values {
		level := 0
		if high > low {
			level = int(math.Round((v - low) / (high - low) * 7))
		}
		b.WriteRune([]rune(levels)[level])
	}
	return b.String()
}

// present returns the texts that are not empty.
func present(texts ...string) []string {
	var some []string
	for _, text := range texts {
		if text != "" {
			some = append(some, text)
		}
	}
	return some
}
