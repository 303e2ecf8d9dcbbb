package intake_test

import (
	"fmt"
	"testing"

	"github.com/accord-fl/accord/coordinator/rpc/intake"
)

// An address crowds out itself: whoever came first from it, and nobody else.
func TestCrowd(t *testing.T) {
	crowd := intake.NewCrowd(10)
	ended := map[string]int{}
	enter := func(host string, n int) func() {
		return crowd.Enter(host, func() { ended[fmt.Sprint(host, " ", n)]++ })
	}
	modest := enter("10.0.0.1", 0)
	for i := range 100 {
		enter("10.0.0.2", i)
	}
	late := enter("10.0.0.3", 0)
	if len(ended) != 92 || ended["10.0.0.1 0"] != 0 || ended["10.0.0.2 91"] != 1 || ended["10.0.0.2 92"] != 0 || ended["10.0.0.3 0"] != 0 {
		t.Errorf("ended were %v", ended)
	}
	modest()
	modest()
	late()
	if got := crowd.Size(); got != 8 {
		t.Errorf("%d are there, want 8", got)
	}
	crowd.End()
	if got := crowd.Size(); got != 0 || len(ended) != 100 {
		t.Errorf("%d are there after the end, %d of 100 were ended", got, len(ended))
	}
}

// In a queue whoever came first stays.
func TestQueue(t *testing.T) {
	queue := intake.NewQueue(10)
	ended := map[string]bool{}
	for i := range 20 {
		queue.Enter("10.0.0.2", func() { ended[fmt.Sprint("10.0.0.2 ", i)] = true })
	}
	queue.Enter("10.0.0.3", func() { ended["10.0.0.3"] = true })
	if len(ended) != 11 || ended["10.0.0.2 8"] || !ended["10.0.0.2 9"] || !ended["10.0.0.2 19"] || ended["10.0.0.3"] {
		t.Errorf("ended were %v", ended)
	}
}

func TestNetwork(t *testing.T) {
	for host, want := range map[string]string{
		"10.0.0.1":          "10.0.0.1",
		"::ffff:10.0.0.1":   "::ffff:10.0.0.1",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64",
		"2001:db8:1:2:9::":  "2001:db8:1:2::/64",
		"fe80::1%eth0":      "fe80::/64",
		"bufconn":           "bufconn",
	} {
		if got := intake.Network(host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}
