package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/version"
)

// run executes one command line: results go to stdout, progress, logs and
// errors to stderr. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil {
		printError(stderr, cmd, err)
	}
	return exitCode(err)
}

// newRoot builds the command tree. This is the one place that lists the verbs.
func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "accord",
		Short: "Train one model together without moving the data",
		Long: `Accord lets institutions train one model together without moving their data.
Each site runs a participant beside its private data; a coordinator sends out
the global model, takes back updates, averages them, measures the result and
publishes it version by version.

Results are printed on stdout, progress and logs on stderr.

` + exitHelp,
		Example:           "  accord simulate                 # a whole federation on this machine, in seconds\n  accord train --dataset digits   # the same network trained in one place",
		Version:           version.Get().String(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return fault.As(fault.Usage, kernel.Check()) },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddGroup(
		&cobra.Group{ID: "train", Title: "Training:"},
		&cobra.Group{ID: "federate", Title: "Federations of real processes:"},
		&cobra.Group{ID: "belong", Title: "Who belongs to a federation:"},
		&cobra.Group{ID: "look", Title: "Data, models and this machine:"},
	)
	addGroup(root, "train",
		newSimulateCmd(),
		newTrainCmd(),
	)
	addGroup(root, "federate",
		newQuickstartCmd(),
		newDoctorCmd(),
		newCoordinatorCmd(),
		newParticipantCmd(),
		newRunCmd(),
		newMembersCmd(),
	)
	addGroup(root, "belong",
		newFederationCmd(),
		newInviteCmd(),
		newTrustCmd(),
		newRevokeCmd(),
		newLeaveCmd(),
		newCACmd(),
	)
	addGroup(root, "look",
		newDataCmd(),
		newModelCmd(),
		newBenchCmd(),
	)
	root.AddCommand(newVersionCmd())
	addCompletion(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fault.As(fault.Usage, err) })
	strict(root)
	return root
}

// addCompletion adds cobra's completion command, and examples to it.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd() // it keeps the stdout of this moment
	examples := map[string]string{
		"completion": "  source <(accord completion bash)",
		"bash":       "  source <(accord completion bash)",
		"zsh":        "  source <(accord completion zsh)",
		"fish":       "  accord completion fish | source",
		"powershell": "  accord completion powershell | Out-String | Invoke-Expression",
	}
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Example = examples[cmd.Name()]
		for _, shell := range cmd.Commands() {
			shell.Example = examples[shell.Name()]
		}
	}
}

// addGroup adds verbs under a heading of the help text.
func addGroup(root *cobra.Command, group string, verbs ...*cobra.Command) {
	for _, verb := range verbs {
		verb.GroupID = group
		root.AddCommand(verb)
	}
}

// strict gives every mistake in the command line the class fault.Usage, and
// makes verbs with sub-verbs explain themselves when called alone.
func strict(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = noSuchVerb
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if check != nil {
			if err := check(cmd, args); err != nil && strings.Contains(cmd.Use, " ") {
				return fault.Usagef("usage: %s", strings.TrimSuffix(cmd.UseLine(), " [flags]"))
			} else if err != nil {
				return fault.As(fault.Usage, err)
			}
		}
		if err := cmd.ValidateRequiredFlags(); err != nil {
			return fault.As(fault.Usage, err)
		}
		return flagGroups(cmd)
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// flagGroups refuses flags that exclude each other, and names those that were given.
func flagGroups(cmd *cobra.Command) error {
	err := cmd.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	if _, given, ok := strings.Cut(err.Error(), "; ["); ok {
		given, _, _ = strings.Cut(given, "]")
		return fault.Usagef("--%s cannot be given together", strings.ReplaceAll(given, " ", " and --"))
	}
	return fault.As(fault.Usage, err)
}

// noSuchVerb refuses the arguments of a command that only has sub-verbs.
func noSuchVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
}

// printError writes err once, each of its lines marked, with a hint where the
// command line was wrong. An interrupted command needs no explanation.
func printError(stderr io.Writer, cmd *cobra.Command, err error) {
	lines := quote.Lines(err)
	code := exitCode(err)
	if code == exitInterrupted {
		lines = []string{"interrupted"}
	}
	mark := "accord: "
	if isJournal(stderr) {
		mark = fmt.Sprintf("<%d>%s", priorityError, mark)
	}
	for _, line := range lines {
		// An error that cannot be written has nowhere else to go.
		_ = quote.Fprintf(stderr, "%s%s\n", mark, line)
	}
	if code == exitUsage {
		_ = quote.Fprintf(stderr, "Try '%s --help'.\n", cmd.CommandPath())
	}
}
