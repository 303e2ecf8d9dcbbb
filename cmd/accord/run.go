package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
)

func newRunCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Submit, list, show, watch and stop a coordinator's runs",
		Example: "  accord run submit -f configs/run.yaml --watch\n  accord run list",
	}
	steer := steering{address: config.DefaultCoordinator().Listen}
	cmd.PersistentFlags().StringVar(&steer.address, "coordinator", steer.address, "host:port of the coordinator")
	cmd.PersistentFlags().BoolVar(&steer.json, "json", false, "print JSON, one object a line, and nothing else")
	cmd.AddCommand(newRunSubmitCmd(&steer), newRunListCmd(&steer), newRunShowCmd(&steer), newRunWatchCmd(&steer), newRunStopCmd(&steer))
	return cmd
}

// steering is what the verbs below `accord run` share.
type steering struct {
	address string
	json    bool
	client  *rpc.Client
	stdout  io.Writer
}

// verb wraps work that needs a connection to the coordinator.
func (s *steering) verb(work func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		if s.client, err = rpc.Dial(s.address); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.client.Close()) }()
		s.stdout = cmd.OutOrStdout()
		err = work(cmd.Context(), args)
		if errors.Is(err, fault.Unavailable) {
			err = fmt.Errorf("%w\nis it running? accord coordinator -f FILE starts one, --coordinator HOST:PORT names another", err)
		}
		return err
	}
}

// again is a command line that asks the same coordinator.
func (s *steering) again(args ...string) string {
	if s.address != config.DefaultCoordinator().Listen {
		args = append(args, "--coordinator", s.address)
	}
	return again(args...)
}
