package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
)

func newDoctorCmd() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check a site's setup and say what to do",
		Long: `Check what a site needs to take part, and say what to do where something is
wrong: its folder and disk, what it knows of the coordinator's journal, its data
(also against the runs that were offered to it), its certificate, the way to the
coordinator (name, proxy, firewalls that open TLS) and the clock. Nothing is
changed, and nothing about the data is sent.`,
		Example: "  accord doctor -f hospital-a/participant.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadParticipant(file)
			if err != nil {
				return err
			}
			findings, err := examine(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if err := printFindings(cmd.OutOrStdout(), findings, asJSON); err != nil {
				return err
			}
			bad := 0
			for _, f := range findings {
				if !f.OK {
					bad++
				}
			}
			if bad > 0 {
				return fault.Inputf("%d of %d checks found something wrong", bad, len(findings))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the site's configuration, participant.yaml")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line, and nothing else")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}

// patienceOfDoctor bounds the look at the way to the coordinator.
const patienceOfDoctor = 20 * time.Second

// examine looks at everything, one thing after another.
func examine(ctx context.Context, cfg config.Participant) ([]participant.Finding, error) {
	findings := []participant.Finding{checkFolder(cfg.Dir), checkDisk(cfg.Dir), participant.ProbeJournal(cfg.Dir)}
	findings = append(findings, checkData(cfg)...)
	if cfg.Identity == "" {
		return append(findings, participant.Finding{Check: "certificate", OK: true, Detail: "none: insecure, on this machine only"}), nil
	}
	credential, err := pki.OpenCredential(cfg.Identity)
	if err != nil {
		return append(findings, participant.Finding{Check: "certificate", Detail: err.Error(), Advice: adviceOnIdentity(cfg.Identity, err)},
			participant.Finding{Check: "coordinator", Detail: "not looked at, nor its name and the clock: that takes the certificate", Advice: "put the certificate right first"}), nil
	}
	findings = append(findings, participant.ProbeIdentity(credential, cfg.Name))
	options := optionsOf(cfg)
	options.Credential = credential
	ctx, cancel := context.WithTimeout(ctx, patienceOfDoctor)
	defer cancel()
	findings = append(findings, participant.ProbeCoordinator(ctx, options)...)
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	return findings, nil
}

// adviceOnIdentity says what to do about a folder that could not be opened.
func adviceOnIdentity(dir string, err error) string {
	_, certificate := os.Stat(filepath.Join(dir, pki.CertFile))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "let the user that runs the participant read " + dir
	case certificate != nil:
		return "join with a token: accord participant join TOKEN"
	default:
		return "put that file right, from a backup if need be; else ask for a token (accord invite) and join again (accord participant join)"
	}
}

// checkFolder looks whether the site's folder, or the one it will be made in,
// can be written to.
func checkFolder(dir string) participant.Finding {
	f := participant.Finding{Check: "folder", OK: true, Detail: dir}
	existing := nearest(dir)
	probe, err := os.CreateTemp(existing, ".doctor-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		f.OK, f.Detail, f.Advice = false, err.Error(), "let the user that runs the participant write to "+existing
	}
	return f
}

// nearest is dir, or the first folder above it that is there.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// wantFree is how much of the disk should be free: a large model, an update and
// their copies on the way.
const wantFree = 4 << 30

func checkDisk(dir string) participant.Finding {
	free, _, err := disk.Space(nearest(dir))
	if err != nil {
		return participant.Finding{Check: "disk", OK: true, Detail: "not known here: " + err.Error()}
	}
	f := participant.Finding{Check: "disk", OK: free >= wantFree, Detail: humanize.IBytes(free) + " free"}
	if !f.OK {
		f.Advice = "make room: global models and updates of up to a few GiB lie there for a while"
	}
	return f
}

// checkData loads the site's data and compares it with what was offered.
func checkData(cfg config.Participant) []participant.Finding {
	if cfg.Trainer == config.TrainerExec && cfg.Data == (config.Data{}) {
		return []participant.Finding{{Check: "data", OK: true, Detail: "known to the site's own program"}}
	}
	data, err := shardOf(cfg.Data)
	if err != nil {
		return []participant.Finding{{Check: "data", Detail: err.Error(), Advice: "data: names the site's private set; accord data stats looks at one"}}
	}
	findings := []participant.Finding{{Check: "data", OK: true, Detail: fmt.Sprintf("%d samples of %v in %d classes", data.Len(), data.Shape(), data.Classes())}}
	records := policy.Records{Dir: cfg.Dir}
	runs, err := records.Runs()
	if err != nil {
		return append(findings, participant.Finding{Check: "offers", Detail: err.Error(), Advice: "let the user that runs the participant read its folder"})
	}
	for _, run := range runs {
		o, err := records.Offer(run)
		if err != nil {
			findings = append(findings, participant.Finding{Check: "run " + run, Detail: err.Error(), Advice: "remove that file; the coordinator offers again"})
			continue
		}
		findings = append(findings, checkOffer(o, cfg, data))
	}
	return findings
}

// checkOffer compares the data with the network of a run.
func checkOffer(o policy.Offer, cfg config.Participant, data *dataset.View) participant.Finding {
	f := participant.Finding{Check: "run " + o.Facts.Run, OK: true, Detail: "fits the data"}
	if name := o.Facts.Dataset; name != "" {
		var err error
		if data, err = shardOf(cfg.Datasets[name]); err != nil {
			f.OK, f.Detail, f.Advice = false, fmt.Sprintf("data set %s: %v", name, err), "name it under datasets, or decline the run (policy.runs)"
			return f
		}
	}
	spec := o.Task.Spec
	switch {
	case spec == nil && cfg.Trainer != config.TrainerExec:
		f.OK, f.Detail = false, "has no network that the built-in trainer knows"
		f.Advice = "train with a program of the site's own (trainer: exec), or decline the run (policy.runs)"
		return f
	case spec == nil:
		f.Detail = "has no network that the data could be compared with"
	case spec.Input != data.Shape():
		f.OK, f.Detail = false, fmt.Sprintf("takes images of %v (height, width, channels), the data has %v", spec.Input, data.Shape())
	case data.Classes() > spec.Classes():
		f.OK, f.Detail = false, fmt.Sprintf("tells %d classes apart, the data has %d", spec.Classes(), data.Classes())
	}
	if !f.OK {
		f.Advice = "offer a data set of that shape (datasets), or decline the run (policy.runs)"
	}
	return f
}

func printFindings(w io.Writer, findings []participant.Finding, asJSON bool) error {
	for _, f := range findings {
		if asJSON {
			if err := quote.Encode(w, f); err != nil {
				return err
			}
			continue
		}
		mark, advice := "ok ", quote.Raw("")
		if !f.OK {
			mark = "NO "
			if f.Advice != "" {
				advice = quote.Sprintf("\n                 → %s", f.Advice)
			}
		}
		if err := quote.Fprintf(w, "%s %-12s %s%s\n", mark, f.Check, f.Detail, advice); err != nil {
			return err
		}
	}
	return nil
}
