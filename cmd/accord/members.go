package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/internal/wire"
)

func newMembersCmd() *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "members",
		Short: "Show who belongs to the federation, and what everybody does",
		Long: `Show the sites of the federation, what those that have attended since the
coordinator started have to train with, and what they work on. A site attends
while its lease is renewed; "heard" is how long ago that was. One that was
invited and has not joined, was revoked or has left is listed as such. What the
column gossip says, where sites gossip, is a hint.

The column clock says by how much a site's clock differed from the coordinator's
when the site connected; it is there when one did. When two processes want to
attend as one site, it has two rows: the process that attends, and the one that
is refused, each with its address. accord members release gives the place to the
other one.

With --watch the table follows the changes until Ctrl-C; with --json it is one
JSON document, or one a change.`,
		Example: "  accord members\n  accord members --watch\n  accord members --json",
		Args:    cobra.NoArgs,
	}
	steer := newSteering(cmd.Flags())
	cmd.AddCommand(newMembersReleaseCmd())
	cmd.Flags().BoolVar(&watch, "watch", false, "follow the changes until Ctrl-C")
	cmd.RunE = steer.verb(func(ctx context.Context, _ []string) error {
		if watch {
			return steer.watchMembers(ctx)
		}
		members, err := steer.client.Members(ctx)
		if err != nil {
			return err
		}
		if steer.json {
			return encodeMembers(steer.stdout, members)
		}
		if err := membersTable(members, time.Now()).Print(steer.stdout); err != nil {
			return err
		}
		return steer.printHeld(ctx)
	})
	return cmd
}

// watchMembers follows the members until ctx ends.
func (s *steering) watchMembers(ctx context.Context) error {
	if s.json {
		return s.client.WatchMembers(ctx, func(m []coordinator.Member) error { return encodeMembers(s.stdout, m) })
	}
	board := term.NewBoard(s.stdout)
	last := map[string]string{}
	return s.client.WatchMembers(ctx, func(m []coordinator.Member) error {
		if board.Live() {
			return board.Show(membersTable(m, time.Now()))
		}
		return printChanges(s.stdout, last, m)
	})
}

func encodeMembers(w io.Writer, members []coordinator.Member) error {
	return quote.Encode(w, struct {
		Members []coordinator.Member `json:"members"`
	}{append([]coordinator.Member{}, members...)})
}

// printChanges prints a line for each member that is not as the line of last
// has it.
func printChanges(w io.Writer, last map[string]string, members []coordinator.Member) error {
	for _, m := range members {
		line := fmt.Sprintf("%s %s %s", m.Role, m.Name, strings.Join(presentTexts(string(m.State), gossipText(m), workText(m), rivalText(m)), ", "))
		key := string(m.Role) + "/" + m.Name
		if last[key] == line {
			continue
		}
		last[key] = line
		if err := quote.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func gossipText(m coordinator.Member) string {
	if m.Gossip == "" {
		return ""
	}
	return "gossip: " + m.Gossip
}

func rivalText(m coordinator.Member) string {
	if m.Rival == nil {
		return ""
	}
	return fmt.Sprintf("attends from %s, another process at %s is refused", m.From, m.Rival.From)
}

func workText(m coordinator.Member) string {
	if m.Run == "" {
		return ""
	}
	return fmt.Sprintf("%s round %d", m.Run, m.Round)
}

func presentTexts(texts ...string) []string {
	var some []string
	for _, text := range texts {
		if text != "" {
			some = append(some, text)
		}
	}
	return some
}

// refusedText is the state of a process that would attend as a member whose place
// another one has.
const refusedText = "refused"

// membersTable shows members as they are now. A column that nobody has
// anything to say in is left out.
func membersTable(members []coordinator.Member, now time.Time) term.Table {
	table := term.Table{Columns: []term.Column{
		{Title: "name"}, {Title: "role"}, {Title: "state"}, {Title: "from"}, {Title: "since"}, {Title: "gossip"}, {Title: "heard", Right: true},
		{Title: "clock"}, {Title: "works on"}, {Title: "load", Right: true}, {Title: "trainer"}, {Title: "cores", Right: true}, {Title: "memory", Right: true},
		{Title: "samples/s", Right: true}, {Title: "data sets"}, {Title: "version"},
	}}
	for _, m := range members {
		c, load, from := m.Capabilities, "", ""
		if m.Rival != nil {
			from = m.From
		}
		if m.State == coordinator.Attending || m.State == coordinator.Serving {
			load = strconv.Itoa(m.Load)
		}
		table.Rows = append(table.Rows, term.Row{
			Strong: m.Run != "" && m.State == coordinator.Attending,
			Cells: []string{
				m.Name, string(m.Role), string(m.State), from, ago(now, m.Since), m.Gossip, ago(now, m.Heard), clockOf(m),
				workText(m), load, c.Trainer, number(float64(c.Cores)), bytesText(c.Memory),
				number(c.SamplesPerSecond), strings.Join(c.Datasets, " "), m.Version,
			},
		})
		if r := m.Rival; r != nil {
			cells := make([]string, len(table.Columns))
			copy(cells, []string{m.Name, string(m.Role), refusedText, r.From, ago(now, r.First), "", ago(now, r.Last)})
			table.Rows = append(table.Rows, term.Row{Cells: cells})
		}
	}
	return table.Compact()
}

// ago is how long ago t was, in short; "" for never.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return term.Clock(now.Sub(t))
}

// clockOf says how wrong a member's clock is; "" where it is not worth a word.
func clockOf(m coordinator.Member) string {
	if m.ClockSeconds == nil {
		return ""
	}
	ahead := time.Duration(*m.ClockSeconds * float64(time.Second))
	switch {
	case ahead >= wire.ClockNotable:
		return wire.Span(ahead) + " ahead"
	case ahead <= -wire.ClockNotable:
		return wire.Span(ahead) + " behind"
	}
	return ""
}

// number is a whole number with separators; "" for what is not known.
func number(n float64) string {
	if n == 0 {
		return ""
	}
	return humanize.Comma(int64(n))
}

func bytesText(n int64) string {
	if n <= 0 {
		return ""
	}
	return humanize.IBytes(uint64(n))
}
