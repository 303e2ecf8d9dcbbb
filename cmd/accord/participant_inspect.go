package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
	"github.com/accord-fl/accord/participant/trainer"
)

func newParticipantInspectCmd() *cobra.Command {
	var site siteFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect RUN",
		Short: "Show exactly what would leave this site for a run",
		Long: `Show exactly what leaves this site for a run that was offered to it: what it
says about itself, what an update holds, and the answers that wait to be sent,
with the range and norm of every tensor. It also shows the limits that this
site sets and the last tasks of the run that it did not allow. It reads the
site's folder alone, and works while the participant runs.`,
		Example: "  accord participant inspect digits-three-sites -f configs/participant.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := site.load()
			if err != nil {
				return err
			}
			gate, err := gateOf(cfg, zap.NewNop())
			if err != nil {
				return err
			}
			options := optionsOf(cfg)
			if options.Reserve, err = reserveOf(cfg.Policy); err != nil {
				return err
			}
			if cfg.Identity != "" {
				if options.Credential, err = pki.OpenCredential(cfg.Identity); err != nil {
					return err
				}
			}
			if cfg.Trainer != config.TrainerExec {
				options.Capabilities.SamplesPerSecond = trainer.Calibrated(filepath.Join(cfg.Dir, calibrationFile), threadsOf(cfg))
			}
			in, err := participant.Inspect(options, gate, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return quote.Encode(cmd.OutOrStdout(), in)
			}
			if err := printInspection(cmd.OutOrStdout(), in); err != nil {
				return err
			}
			if in.Rule != policy.RuleApprove {
				return nil
			}
			return quote.Fprintf(cmd.OutOrStdout(), "\nNext:\n  %s\n", site.again("approve", args[0], "--digest", in.Digest[:12], "--by", "NAME"))
		},
	}
	site.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// describeFacts tells what a run is, a line for each thing.
func describeFacts(f policy.Facts, digest string) quote.Raw {
	var b quote.Builder
	line := func(key, format string, args ...any) {
		b.Printf("%-14s %s\n", key, quote.Sprintf(format, args...))
	}
	line("run", "%s, at most %d rounds of %s", f.Run, f.Rounds, f.Strategy)
	line("model", "%s parameters, contract %.12s", humanize.Comma(int64(f.Parameters)), f.Contract)
	line("plan", "%s", inline(f.Plan))
	line("learning rate", "%g at most", f.Plan.Optimizer.LR)
	line("weighs by", "%s", yes(f.SendSamples, "the number of samples", "nothing"))
	line("data set", "%s", orElse(f.Dataset, "the site's default"))
	line("trained by", "%s", f.Trainer)
	line("digest", "%s", digest)
	return b.Raw()
}

// inline writes a document of ours in one line, exactly.
func inline(v any) quote.Raw {
	data, err := quote.JSON(v, "")
	if err != nil {
		panic("accord: a valid document is always representable in JSON: " + err.Error())
	}
	return data
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// printInspection tells people what JSON tells programs.
func printInspection(w io.Writer, in participant.Inspection) error {
	var b quote.Builder
	b.Printf("%s", describeFacts(in.Facts, in.Digest))
	line := func(key, format string, args ...any) {
		b.Printf("%-14s %s\n", key, quote.Sprintf(format, args...))
	}
	if a := in.Approval; a != nil {
		line("approved", "by %s, %s", a.By, a.At.Local().Format(time.DateTime))
	}
	if in.Verdict == policy.Allow {
		line("this site", "would train it now")
	} else {
		line("this site", "would not train it now: %s (%s)", in.Reason, in.Rule)
	}
	if in.Answered > 0 {
		line("answered", "%d rounds, the last is round %d", in.Answered, in.LastRound)
	}
	line("limits", "%s", describeLimits(in.Limits))
	for _, n := range in.NotAllowed {
		line("not allowed", "%s, round %d: %s (%s)", n.At.Local().Format(time.DateTime), n.Round, n.Reason, n.Rule)
	}
	h := in.Hello
	b.Printf("\nTold when the site attends:\n")
	line("  name", "%s", h.Name)
	line("  version", "%s", h.Version)
	line("  can do", "%s", inline(h.Capabilities))
	line("  speaks", "protocols %d to %d, with %s", h.Oldest, h.Protocol, strings.Join(h.Features, ", "))
	if c, err := checkpoint.Parse(h.Checkpoint); err == nil {
		line("  has seen", "%d records of the coordinator's journal, %s", c.Head.Size, c.Origin)
	}
	if len(h.Roots) > 0 {
		line("  trusts", "the roots %s", inline(h.Roots))
	}
	if h.Federation != "" {
		line("  belongs to", "%s", h.Federation)
	}
	line("  also", "the time by its clock, and a random id of its process")
	line("  all along", "how many tasks are under way")
	b.Printf("\nIn each update:\n")
	line("  samples", "%s", yes(in.Update.Samples, "their number, and that of the steps", "not told"))
	line("  metrics", "%s", metrics(in.Update))
	line("  file", "%s (%s bytes) of safetensors, what training added to:", humanize.Bytes(uint64(in.Update.File)), humanize.Comma(in.Update.File))
	if err := quote.Fprintf(w, "%s\n", b.Raw()); err != nil {
		return err
	}
	t := term.Table{Columns: []term.Column{{Title: "tensor"}, {Title: "type"}, {Title: "shape"}, {Title: "bytes", Right: true}}}
	for _, tensor := range in.Update.Tensors {
		t.Rows = append(t.Rows, term.Row{Cells: []string{tensor.Name, tensor.DType, fmt.Sprint(tensor.Shape), humanize.Comma(4 * int64(tensor.Len()))}})
	}
	if err := t.Print(w); err != nil {
		return err
	}
	return printWaiting(w, in.Waiting)
}

// describeLimits says which bounds the site sets.
func describeLimits(l participant.Limits) string {
	var parts []string
	if l.MaxEpochs > 0 {
		parts = append(parts, fmt.Sprintf("%d epochs a round", l.MaxEpochs))
	}
	if l.MaxParameters > 0 {
		parts = append(parts, humanize.Comma(int64(l.MaxParameters))+" parameters")
	}
	if l.MaxModel > 0 {
		parts = append(parts, "a model of "+humanize.Bytes(uint64(l.MaxModel)))
	}
	var reserve []string
	if l.ReserveBytes > 0 {
		reserve = append(reserve, humanize.Bytes(uint64(l.ReserveBytes)))
	}
	if l.ReservePercent > 0 {
		reserve = append(reserve, fmt.Sprintf("%g %%", l.ReservePercent))
	}
	if len(reserve) > 0 {
		text := strings.Join(reserve, " or ") + " of the disk left free"
		if len(reserve) > 1 {
			text += ", whichever is less"
		}
		parts = append(parts, text)
	}
	once := "each round answered once"
	if l.MaxRepeats > 0 {
		once += fmt.Sprintf(", and at most %s more after restores of the coordinator", count(l.MaxRepeats, "time"))
	}
	return strings.Join(append(parts, once), "; ")
}

func yes(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

func metrics(c participant.Contents) string {
	switch {
	case c.AnyMetrics:
		return "every number that the site's program writes to " + trainer.MetricsFile
	case len(c.Metrics) == 0:
		return "not told"
	default:
		return strings.Join(c.Metrics, ", ")
	}
}

// printWaiting shows the answers that are ready to leave.
func printWaiting(w io.Writer, waiting []participant.Prepared) error {
	if len(waiting) == 0 {
		return quote.Fprintf(w, "\nNo answer waits to be sent.\n")
	}
	for _, p := range waiting {
		document, err := quote.JSON(p.Reply, "  ")
		if err != nil {
			return err
		}
		if err := quote.Fprintf(w, "\nWaits to be sent:\n%s\n", document); err != nil {
			return err
		}
		for _, f := range p.Artefacts {
			if err := quote.Fprintf(w, "\n"); err != nil {
				return err
			}
			t := term.Table{
				Title:   fmt.Sprintf("%s: %s, %s bytes, SHA-256 %s", f.Role, f.Path, humanize.Comma(f.Bytes), f.Digest),
				Columns: []term.Column{{Title: "tensor"}, {Title: "shape"}, {Title: "min", Right: true}, {Title: "max", Right: true}, {Title: "norm", Right: true}},
			}
			for _, x := range f.Tensors {
				t.Rows = append(t.Rows, term.Row{Cells: []string{x.Name, fmt.Sprint(x.Shape), fmt.Sprintf("%.4g", x.Min), fmt.Sprintf("%.4g", x.Max), fmt.Sprintf("%.4g", x.Norm)}})
			}
			if err := t.Print(w); err != nil {
				return err
			}
		}
	}
	return nil
}
