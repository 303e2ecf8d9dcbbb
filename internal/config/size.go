package config

import (
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/accord-fl/accord/internal/fault"
)

// ParseSize reads a number of bytes as people write it: 500MB, 2GB, 1.5 GiB.
func ParseSize(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt64 || strings.Trim(text, "0123456789. ") == "" && n > 0 {
		return 0, fault.Inputf("%.40q is not a size; want one with its unit, such as 500MB or 2GB", text)
	}
	return int64(n), nil
}

// ParseShare reads a part of a disk, in bytes, as ParseSize does, or in percent:
// 5% or 5 %. One of both results is 0; of "0" both are.
func ParseShare(text string) (bytes int64, percent float64, err error) {
	number, isPercent := strings.CutSuffix(text, "%")
	if !isPercent {
		bytes, err = ParseSize(text)
		return bytes, 0, err
	}
	percent, err = strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(percent >= 0 && percent < 100) {
		return 0, 0, fault.Inputf("%.40q is not a share; want at least 0%% and less than 100%%", text)
	}
	return 0, percent, nil
}
