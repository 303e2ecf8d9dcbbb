package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/wire"
	"github.com/accord-fl/accord/participant"
)

func newParticipantJoinCmd() *cobra.Command {
	var dir string
	var data config.Data
	cmd := &cobra.Command{
		Use:   "join TOKEN",
		Short: "Join a federation with a one-time token",
		Long: `Join the federation that a token invites to: make a key, which stays in this
folder, have the coordinator certify it, and write participant.yaml. The data
are looked at first, so that a wrong path costs no token. Joining again with
another token keeps participant.yaml. Where others can see what runs on this
machine, - in place of the token reads it from standard input.`,
		Example: "  accord participant join accord1_… --dataset idx:/data/ward-3\n  accord participant -f hospital-a/participant.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := readToken(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			if dir == "" {
				dir = token.Site
			}
			file := filepath.Join(dir, "participant.yaml")
			cfg, err := siteConfig(file, token, data)
			if err != nil {
				return err
			}
			made := willMake(filepath.Dir(cfg.Identity))
			joined, err := participant.Join(cmd.Context(), token, cfg.Identity)
			if err != nil {
				made.empty()
				return err
			}
			if err := printClock(cmd.ErrOrStderr(), joined.Ahead); err != nil {
				return err
			}
			if err := writeSiteConfig(file, cfg); err != nil {
				return err
			}
			return quote.Fprintf(cmd.OutOrStdout(), "%s belongs to %s now. Take part:\n  %s\n", token.Site, token.Federation, again("participant", "-f", file))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of this site (default ./SITE)")
	cmd.Flags().StringVar(&data.Dataset, "dataset", "", "private data: safetensors:FILE, idx:DIR, npz:FILE, images:DIR or mnist with --data")
	cmd.Flags().StringVar(&data.Dir, "data", "", "folder of the data set's files")
	return cmd
}

// printClock says by how much the coordinator's clock is ahead of this machine's,
// when that is worth a word.
func printClock(w io.Writer, ahead time.Duration) error {
	text := wire.ClockText(ahead, "this machine's")
	switch by := ahead.Abs(); {
	case by >= wire.ClockWrong:
		return quote.Fprintf(w, "The coordinator's clock is %s: set the one that is wrong (NTP); certificates are judged by it.\n", text)
	case by >= wire.ClockNotable:
		return quote.Fprintf(w, "The coordinator's clock is %s.\n", text)
	}
	return nil
}

// readToken reads a token that was pasted, or from in when that is "-".
func readToken(arg string, in io.Reader) (pki.Token, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(in, 4<<10))
		if err != nil {
			return pki.Token{}, fault.As(fault.Input, fmt.Errorf("read the token: %w", err))
		}
		arg = string(text)
	}
	return pki.ParseToken(arg)
}

// siteConfig is what participant.yaml says or will say; its data can be loaded.
func siteConfig(file string, token pki.Token, data config.Data) (config.Participant, error) {
	if data.Dataset == "" && data.Dir != "" { // a folder alone holds IDX files
		data = config.Data{Dataset: "idx:" + data.Dir}
	}
	cfg, err := config.LoadParticipant(file)
	if err == nil && data != (config.Data{}) {
		err = sameData(file, cfg.Data, data)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if data == (config.Data{}) {
			return cfg, fault.Usagef("want the site's data: --dataset idx:DIR, for example")
		}
		dir := filepath.Dir(file)
		cfg, err = config.DefaultParticipant(), nil
		cfg.Name, cfg.Data, cfg.Dir, cfg.Identity = token.Site, data, filepath.Join(dir, "state"), filepath.Join(dir, "identity")
	}
	if err != nil {
		return cfg, err
	}
	if cfg.Name != token.Site {
		return cfg, fault.Inputf("%s is that of %s, the token invites %s: choose another --dir", file, cfg.Name, token.Site)
	}
	if cfg.Identity == "" {
		cfg.Identity, cfg.Insecure = filepath.Join(filepath.Dir(file), "identity"), false
	}
	cfg.Coordinator = token.Coordinator
	if err := cfg.Validate(); err != nil {
		return cfg, err
	}
	if cfg.Trainer == config.TrainerBuiltin {
		_, err = shardOf(cfg.Data)
	}
	return cfg, err
}

// sameData refuses data other than those that a site's file names, for the file
// is kept.
func sameData(file string, is, want config.Data) error {
	there, errThere := placeOf(is)
	asked, errAsked := placeOf(want)
	if err := errors.Join(errThere, errAsked); err != nil {
		return err
	}
	if there != asked {
		return fault.Inputf("%s is kept, and names other data: change it there, or leave --dataset out", file)
	}
	return nil
}

// placeOf is where a data set lies, and of what kind it is.
func placeOf(d config.Data) (string, error) {
	kind, path, _ := strings.Cut(d.Dataset, ":")
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.Dir, path)
	}
	path, err := filepath.Abs(path)
	return kind + ":" + path, err
}

// writeSiteConfig writes participant.yaml unless it is there. Paths in it are
// absolute where they name data, relative where they lie beside it.
func writeSiteConfig(file string, cfg config.Participant) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeAbsolute(&cfg.Data); err != nil {
		return err
	}
	cfg.Dir, cfg.Identity, cfg.Exec = "state", "identity", config.Exec{}
	body, err := yaml.Marshal(cfg)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("# Site %s. Take part: accord participant -f %s\n\n%s", cfg.Name, file, body)
	return atomicfile.WriteBytes(file, []byte(text))
}

// makeAbsolute makes the paths of a data set independent of the folder that the
// command runs in.
func makeAbsolute(d *config.Data) (err error) {
	if d.Dir != "" {
		d.Dir, err = filepath.Abs(d.Dir)
		return err
	}
	kind, path, found := strings.Cut(d.Dataset, ":")
	if !found {
		return nil
	}
	path, err = filepath.Abs(path)
	d.Dataset = kind + ":" + path
	return err
}
