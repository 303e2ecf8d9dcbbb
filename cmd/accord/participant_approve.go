package main

import (
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/participant/policy"
)

func newParticipantApproveCmd() *cobra.Command {
	var site siteFlags
	var by, digest string
	var list, revoke, repeat, asJSON bool
	cmd := &cobra.Command{
		Use:   "approve RUN",
		Short: "Release a run at this site, by name",
		Long: `Release a run at this site, where the policy says approve: manual. Until then
the site declines the run's tasks, and the coordinator offers them again.

What is approved is the run as it was offered last: its name, network, plan,
strategy and number of rounds, whether it asks for the number of samples, and
who trains here. When the coordinator changes any of these, or raises the
learning rate, the approval does not hold any more. It works while the
participant runs.

A site answers each round of a run once, with one model and plan. When the
coordinator was set up again and asks for rounds that the site has answered,
--again lets each of them be asked once more.`,
		Example: "  accord participant approve digits-three-sites -f configs/participant.yaml --by \"Dr. A. Meyer\"\n" +
			"  accord participant approve --list -f configs/participant.yaml\n  accord participant approve digits-three-sites -f configs/participant.yaml --revoke",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := site.load()
			if err != nil {
				return err
			}
			out, records := cmd.OutOrStdout(), policy.Records{Dir: cfg.Dir}
			if list {
				return listOffers(out, records, asJSON)
			}
			if err := oneRun(args); err != nil {
				return err
			}
			if repeat {
				if err := records.Again(args[0]); err != nil {
					return err
				}
				return quote.Fprintf(out, "Rounds of run %s that this site has answered may be asked once more.\n", args[0])
			}
			if revoke {
				if err := records.Revoke(args[0]); err != nil {
					return err
				}
				return quote.Fprintf(out, "Run %s is not approved any more. A training under way goes on to its end.\n", args[0])
			}
			a, err := records.Approve(args[0], digest, by, time.Now())
			if err != nil {
				return err
			}
			if asJSON {
				return quote.Encode(out, a)
			}
			approved := "approved by"
			if a.By != strings.TrimSpace(by) {
				approved = "approved already, by"
			}
			return quote.Fprintf(out, "Run %s is %s %s.\n\n%s\nNext:\n  %s\n", args[0], approved, a.By, describeFacts(a.Facts, a.Facts.Shown()), site.again("inspect", args[0]))
		},
	}
	site.add(cmd)
	cmd.Flags().StringVar(&by, "by", "", "who approves")
	cmd.Flags().StringVar(&digest, "digest", "", "approve only what accord participant inspect showed with this `digest`, or its beginning")
	cmd.Flags().BoolVar(&list, "list", false, "list the runs that were offered, and who approved them")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "withdraw an approval")
	cmd.Flags().BoolVar(&repeat, "again", false, "let rounds that were answered be asked once more")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	cmd.MarkFlagsMutuallyExclusive("list", "revoke", "again", "by")
	cmd.MarkFlagsMutuallyExclusive("list", "revoke", "again", "digest")
	return cmd
}

// listedOffer is a line of `accord participant approve --list --json`.
type listedOffer struct {
	Run        string     `json:"run"`
	Offered    time.Time  `json:"offered"`
	Digest     string     `json:"digest"`
	ApprovedBy string     `json:"approved_by,omitempty"`
	ApprovedAt *time.Time `json:"approved_at,omitempty"`
	Current    bool       `json:"current"` // what was approved is what is offered
}

func listOffers(w io.Writer, records policy.Records, asJSON bool) error {
	runs, err := records.Runs()
	if err != nil {
		return err
	}
	t := term.Table{Columns: []term.Column{{Title: "run"}, {Title: "offered"}, {Title: "digest"}, {Title: "approved by"}, {Title: "on"}}}
	for _, run := range runs {
		l, err := listed(records, run)
		if err != nil {
			return err
		}
		if asJSON {
			if err := quote.Encode(w, l); err != nil {
				return err
			}
			continue
		}
		by, at := "nobody", ""
		if l.ApprovedAt != nil {
			by, at = l.ApprovedBy, l.ApprovedAt.Local().Format(time.DateTime)
		}
		if l.ApprovedAt != nil && !l.Current {
			by += " (as it was then)"
		}
		t.Rows = append(t.Rows, term.Row{Cells: []string{run, l.Offered.Local().Format(time.DateTime), l.Digest[:12], by, at}})
	}
	if asJSON {
		return nil
	}
	if len(runs) == 0 {
		return quote.Fprintln(w, "No run was offered to this site yet.")
	}
	return t.Print(w)
}

func listed(records policy.Records, run string) (listedOffer, error) {
	o, err := records.Offer(run)
	if err != nil {
		return listedOffer{}, err
	}
	l := listedOffer{Run: run, Offered: o.At, Digest: o.Facts.Shown()}
	a, err := records.Approval(run)
	if err != nil || a == nil {
		return l, err
	}
	l.ApprovedBy, l.ApprovedAt, l.Current = a.By, &a.At, a.Covers(o.Facts)
	return l, nil
}
