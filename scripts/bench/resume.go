package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// resume is about an upload of 1 GB that is cut at 90 %.
func (b *bench) resume() ([]page.Row, error) {
	var rows []page.Row
	for _, cut := range []struct {
		what string
		how  func(*federation.Federation, *federation.Line) error
	}{
		{"the connection closed", func(_ *federation.Federation, l *federation.Line) error { l.HangUp(); return nil }},
		{"coordinator and site killed and started again", func(f *federation.Federation, _ *federation.Line) error {
			return errors.Join(f.Restart(), f.Rejoin("site"))
		}},
	} {
		again, err := b.cutUpload(cut.how)
		if err != nil {
			return nil, err
		}
		share := 100 * float64(again) / (4 * oneGB)
		rows = append(rows, page.Row{
			What: "an upload of 1 GB cut at 90 %, " + cut.what + ": sent again, all that went over the line counted", Bar: "< 1 % (others start again)",
			Figure: fmt.Sprintf("%.2f %%", share), Holds: share < 1, Command: "go run ./scripts/bench -only resume",
		})
	}
	return rows, nil
}

// cutUpload has a site upload 1 GB, cuts that at 90 %, and returns how many
// bytes more than its size the upload took.
func (b *bench) cutUpload(cut func(*federation.Federation, *federation.Line) error) (again int64, err error) {
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	line, err := federation.NewLine(f.Address)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, line.Close()) }()
	f.Perturb = true
	if err := f.Join("site", line.Address(), 0); err != nil {
		return 0, err
	}
	if err := b.submitLarge(f, oneGB, 1, 1); err != nil {
		return 0, err
	}
	const size = 4 * oneGB
	for line.Carried() < size*9/10 {
		select {
		case <-time.After(time.Millisecond):
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	if err := cut(f, line); err != nil {
		return 0, err
	}
	_, err = f.Coordinator.Await(b.ctx, "run ended", 0)
	return line.Carried() - size, err
}
