package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const versionRounds = 3

// versions lets the version before and this one work together, and this one take
// over a folder of that one in mid-round.
func (b *bench) versions() (string, error) {
	if b.before == "" {
		return "skipped: name a binary of the version before with -before", nil
	}
	want, err := undisturbed(b, "versions", versionRounds)
	if err != nil {
		return "", err
	}
	for _, c := range []struct {
		what, center, edge string
	}{
		{"old coordinator, new sites", b.before, b.accord.Path},
		{"new coordinator, old sites", b.accord.Path, b.before},
	} {
		if err := b.together(c.center, c.edge, want); err != nil {
			return "", fmt.Errorf("%s: %w", c.what, err)
		}
	}
	if err := b.takeOver(); err != nil {
		return "", fmt.Errorf("a folder of the version before, killed in mid-round: %w", err)
	}
	return fmt.Sprintf("%d rounds each way, and a folder taken over in mid-round, with the undisturbed digest", versionRounds), nil
}

// together is a run of two versions.
func (b *bench) together(center, edge, want string) (err error) {
	p, err := found(b, filepath.Join(b.accord.Dir, "versions-"+filepath.Base(filepath.Dir(center))+filepath.Base(center)), center, edge)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	if err := errors.Join(p.attend(names...), p.submit("versions", versionRounds)); err != nil {
		return err
	}
	got, err := p.complete("versions", time.Minute)
	if err == nil && got != want {
		err = fmt.Errorf("model %.12s, undisturbed %.12s", got, want)
	}
	return err
}

const takenOverRounds = 40

// takeOver kills coordinator and sites of the version before in mid-round and
// starts this version on their folders.
func (b *bench) takeOver() (err error) {
	want, err := undisturbed(b, "taken-over", takenOverRounds)
	if err != nil {
		return err
	}
	p, err := found(b, filepath.Join(b.accord.Dir, "taken-over"), b.before, b.before)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	if err := errors.Join(p.attend(names...), p.submit("taken-over", takenOverRounds)); err != nil {
		return err
	}
	if _, err := p.coordinator.Await(p.ctx, "version published", takenOverRounds/4); err != nil {
		return err
	}
	for _, site := range p.sites {
		if err := site.Close(); err != nil {
			return err
		}
	}
	if err := p.kill(); err != nil {
		return err
	}
	p.center, p.edge = b.accord.Path, b.accord.Path
	if err := errors.Join(p.begin(), p.attend(names...)); err != nil {
		return err
	}
	got, err := p.complete("taken-over", time.Minute)
	if err == nil && got != want {
		err = fmt.Errorf("model %.12s, undisturbed %.12s", got, want)
	}
	return err
}
