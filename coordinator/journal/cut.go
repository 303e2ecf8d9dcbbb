package journal

import (
	"context"
	"errors"
	"os"

	"github.com/accord-fl/accord/internal/fault"
)

// sound reads what is sound of a file without changing it: all of it, or what is
// before the damage, which is returned, too.
func sound(ctx context.Context, path string) (*state, *Damage, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer opened.Close() // only read
	info, err := opened.Stat()
	if err != nil {
		return nil, nil, err
	}
	s, _, err := read(ctx, path, opened, info.Size(), ignore)
	var damage *Damage
	if errors.As(err, &damage) {
		s, _, err = read(ctx, path, opened, damage.keep, ignore)
	}
	return s, damage, err
}

// intact cuts damaged files to what is sound, where that was asked for.
func (r *restore) intact(ctx context.Context) error {
	files := []string{JournalFile}
	if r.f.Registry {
		files = append(files, RegistryFile)
	}
	for _, file := range files {
		s, damage, err := sound(ctx, r.f.path(file))
		switch {
		case err != nil:
			return err
		case damage == nil:
			continue
		case !r.o.Cut || s.bytes == 0:
			return fault.As(fault.Input, damage)
		}
		if err := r.cut(file, damage); err != nil {
			return err
		}
		if file == RegistryFile {
			r.j.AcceptRegistry = true
		}
	}
	return nil
}

// cut keeps the sound beginning of a damaged file, and a copy of the damaged one
// beside it. Whatever ends it half-way, the file is there, and can be cut again.
func (r *restore) cut(file string, damage *Damage) error {
	path := r.f.path(file)
	all, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	copied, err := r.besides(file)
	if err != nil {
		return err
	}
	if err := r.files.WriteSecret(copied, all); err != nil {
		return err
	}
	r.did("%s was cut to its first %d records: line %d is damaged. As it was it is now %s.", path, damage.whole, damage.Line, copied)
	return r.files.WriteSecret(path, all[:damage.keep])
}
