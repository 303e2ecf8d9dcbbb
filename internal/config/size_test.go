package config

import (
	"errors"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"2GB": 2e9, "500 MB": 5e8, "1.5GiB": 3 << 29, "64KiB": 64 << 10, "0": 0, "12B": 12,
		"": -1, "2": -1, "-2GB": -1, "GB": -1, "2 parsecs": -1, "99999999999 EB": -1, "5%": -1,
	} {
		got, err := ParseSize(text)
		if want < 0 {
			if !errors.Is(err, fault.Input) {
				t.Errorf("%q: got %d, error %v, want bad input", text, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: got %d, error %v, want %d", text, got, err, want)
		}
	}
}

func TestParseShare(t *testing.T) {
	for text, want := range map[string]struct {
		bytes   int64
		percent float64
		bad     bool
	}{
		"5%": {percent: 5}, "2.5 %": {percent: 2.5}, "0%": {}, "0": {}, "1GB": {bytes: 1e9},
		"100%": {bad: true}, "-1%": {bad: true}, "%": {bad: true}, "NaN%": {bad: true}, "much": {bad: true}, "": {bad: true},
	} {
		bytes, percent, err := ParseShare(text)
		if want.bad != errors.Is(err, fault.Input) || bytes != want.bytes || percent != want.percent {
			t.Errorf("%q: got %d bytes, %v percent, error %v, want %+v", text, bytes, percent, err, want)
		}
	}
}
