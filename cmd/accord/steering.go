package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
)

// identityVariable names an admin's identity folder when no flag does.
const identityVariable = "ACCORD_IDENTITY"

// steering is what the verbs share that talk to a coordinator.
type steering struct {
	address    string
	identity   string
	json       bool
	credential *pki.Credential
	client     *rpc.Client
	stdout     io.Writer
	stderr     io.Writer
}

// newSteering adds the flags that say which coordinator, and as whom.
func newSteering(flags *pflag.FlagSet) *steering {
	s := &steering{}
	flags.StringVar(&s.address, "coordinator", "", "host:port of the coordinator (default the identity's, or "+config.DefaultCoordinator().Listen+")")
	flags.StringVar(&s.identity, "identity", "", "admin's identity folder, which accord federation init makes (default $"+identityVariable+")")
	flags.BoolVar(&s.json, "json", false, "print JSON, one object a line, and nothing else")
	return s
}

// settle finds out which coordinator is meant, and as whom.
func (s *steering) settle() error {
	if s.identity == "" {
		s.identity = os.Getenv(identityVariable)
	}
	if _, _, err := net.SplitHostPort(s.address); err != nil && s.address != "" {
		return fault.Usagef("--coordinator %q: want host:port, such as fl.example.org:7443", s.address)
	}
	if s.identity == "" {
		if s.address == "" {
			s.address = config.DefaultCoordinator().Listen
		}
		return nil
	}
	var err error
	if s.credential, err = pki.OpenCredential(s.identity); err != nil {
		return err
	}
	if s.address != "" {
		return nil
	}
	cfg, err := config.LoadFederation(s.identity)
	s.address = cfg.Coordinator
	return err
}

// verb wraps work that needs a connection to the coordinator.
func (s *steering) verb(work func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		if err := s.settle(); err != nil {
			return err
		}
		if s.client, err = rpc.Dial(s.address, s.credential); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.client.Close()) }()
		s.stdout, s.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		err = s.client.Renew(cmd.Context())
		if errors.Is(err, rpc.ErrNotRenewed) { // the old one serves for now
			err = quote.Fprintf(s.stderr, "accord: the certificate in %s stays as it is: %v\n", s.identity, err)
		}
		if err == nil {
			err = work(cmd.Context(), args)
		}
		if errors.Is(err, fault.Unavailable) && !errors.Is(err, rpc.ErrUntimely) && !errors.Is(err, rpc.ErrAnswers) {
			err = errors.Join(err, errors.New("is it running? accord coordinator -f FILE starts one, --coordinator HOST:PORT names another"))
		}
		return err
	}
}

// again is a command line that asks the same coordinator.
func (s *steering) again(args ...string) string {
	if s.identity != "" && os.Getenv(identityVariable) == "" {
		args = append(args, "--identity", s.identity)
	} else if s.identity == "" && s.address != config.DefaultCoordinator().Listen {
		args = append(args, "--coordinator", s.address)
	}
	return again(args...)
}

// printHeld says why no run goes on, if none does.
func (s *steering) printHeld(ctx context.Context) error {
	why, err := s.client.Held(ctx)
	if err != nil || why == "" {
		return err
	}
	return quote.Fprintf(s.stdout, "\nNo run goes on: %s.\n", quote.Cut(why, maxHeld))
}

// maxHeld bounds, in bytes, what is shown of the reason why no run goes on.
const maxHeld = 1000
