package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/accord-fl/accord/internal/report"
)

// runFile is what accord leaves in a run folder as soon as the run can be
// resumed.
const runFile = "run.yaml"

// args are the flags of accord for a cell, but for those of the federation.
func (c cell) args() []string {
	return []string{
		"--partition", c.partition, "--epochs", strconv.Itoa(c.epochs), "--batch", strconv.Itoa(c.batch),
		"--optimizer", "sgd", "--lr", strconv.FormatFloat(c.lr, 'g', -1, 64), "--lr-schedule", c.schedule,
		"--stop-at", fmt.Sprint(target), "--rounds", strconv.Itoa(c.limit()),
	}
}

// folder is the cell's run folder.
func (b *bench) folder(c cell) string {
	name := strings.NewReplacer(" ", "-", ":", "", "=", "").Replace(c.name())
	return filepath.Join(b.cache, fmt.Sprintf("%s-rounds%d", name, c.limit()))
}

// measure trains a cell to its end, from where an earlier go left it, or until it
// has collapsed. show hears of the rounds from time to time.
func (b *bench) measure(ctx context.Context, c cell, show func([]report.Round)) (result, error) {
	dir := b.folder(c)
	args := append(append([]string{"simulate"}, b.federation...), c.args()...)
	r := result{LR: c.lr, Command: strings.ReplaceAll("accord "+strings.Join(args, " "), b.hidden, "DIR")}
	if !exists(filepath.Join(dir, report.ReportFile)) { // else it only was not saved
		if exists(filepath.Join(dir, runFile)) {
			args = []string{"simulate", "--resume", dir}
		} else {
			// What is there, if anything, is less than a run.
			if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(b.cache, 0o755)); err != nil {
				return r, err
			}
			args = append(args, "--out", dir)
		}
		running, end := context.WithCancel(ctx)
		defer end()
		diverged, err := b.accord(running, args, filepath.Join(dir, report.MetricsFile), func(rounds []report.Round) {
			show(rounds)
			if _, collapsed := collapse(rounds); collapsed {
				end()
			}
		})
		if ended := running.Err() != nil && ctx.Err() == nil; err != nil && !ended {
			return r, err
		}
		r.Diverged = diverged
	}
	return r, r.read(dir)
}

// read fills in what the run folder tells.
func (r *result) read(dir string) error {
	rounds, err := report.ReadMetrics(filepath.Join(dir, report.MetricsFile))
	if r.Diverged && errors.Is(err, fs.ErrNotExist) {
		return nil // in the first round
	}
	if err != nil {
		return err
	}
	r.count(rounds)
	card, err := report.ReadModel(filepath.Join(dir, report.CardFile))
	r.Kernel = card.Lineage.Kernel
	if r.Collapsed == 0 { // such a run is ended in whatever round it is
		r.Digest = card.Digest
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// grace is how long accord gets to end after it was asked to.
const grace = 30 * time.Second

// accord runs the binary and shows what it adds to the metrics. A run that
// failed because the training of too many sites diverged is a result.
func (b *bench) accord(ctx context.Context, args []string, metrics string, show func([]report.Round)) (diverged bool, err error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Stderr = &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return false, err
	}
	ended := make(chan struct{})
	go func() {
		err = cmd.Wait()
		close(ended)
	}()
	follow(metrics, ended, show)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		why := lines[len(lines)-1]
		if strings.Contains(why, "training diverged") { // as a resumption of such a run says, too
			return true, nil
		}
		return false, fmt.Errorf("accord %s: %w\n%s", strings.Join(args, " "), err, why)
	}
	return false, nil
}
