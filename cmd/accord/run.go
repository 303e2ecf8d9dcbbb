package main

import "github.com/spf13/cobra"

func newRunCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Submit, list, show, watch, stop and remove a coordinator's runs",
		Example: "  accord run submit -f configs/run.yaml --watch\n  accord run list",
	}
	steer := newSteering(cmd.PersistentFlags())
	cmd.AddCommand(newRunSubmitCmd(steer), newRunListCmd(steer), newRunShowCmd(steer), newRunWatchCmd(steer), newRunStopCmd(steer), newRunRmCmd(steer))
	return cmd
}
