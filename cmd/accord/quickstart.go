package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/participant"
)

func newQuickstartCmd() *cobra.Command {
	q := quickstart{sites: 3, rounds: 5}
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "A federation with certificates in this terminal, cleaned up at the end",
		Long: `Make a federation in a temporary folder and go through what its members do: a
coordinator starts, three sites are invited, join with their own keys and shards
of the digits, attend over mutual TLS and train a run together. Every step is
printed as the command that does it for real. At the end, or at Ctrl-C,
everything stops and the folder goes; --keep leaves it, with the models.`,
		Example: "  accord quickstart\n  accord quickstart --sites 5 --rounds 10 --keep try",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.stdout = cmd.OutOrStdout()
			return q.run(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&q.sites, "sites", q.sites, "number of sites")
	cmd.Flags().IntVar(&q.rounds, "rounds", q.rounds, "number of rounds")
	cmd.Flags().StringVar(&q.keep, "keep", "", "leave everything in this new folder")
	return cmd
}

// quickstart is a federation of one process.
type quickstart struct {
	sites, rounds int
	keep          string
	stdout        io.Writer

	dir     string
	founded founding
	logs    *os.File // of coordinator and sites
}

func (q quickstart) run(ctx context.Context) (err error) {
	if q.sites < 1 || q.sites > 50 || q.rounds < 1 {
		return fault.Usagef("want 1 to 50 sites and 1 round or more, got %d and %d", q.sites, q.rounds)
	}
	if err := q.makeFolder(); err != nil {
		return err
	}
	if q.keep == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(q.dir)) }()
	}
	if q.logs, err = os.Create(filepath.Join(q.dir, "log.jsonl")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.logs.Close()) }()

	ctx, cancel := context.WithCancel(ctx)
	g, working := errgroup.WithContext(ctx)
	err = q.lead(working, g)
	if ctx.Err() != nil { // whoever stops first, what ended it is the interruption
		err = ctx.Err()
	}
	cancel()
	if waited := g.Wait(); err == nil && !errors.Is(waited, context.Canceled) {
		err = waited
	}
	if err != nil && q.keep != "" && q.nothing() {
		return errors.Join(err, os.RemoveAll(q.dir))
	}
	if err != nil && q.keep == "" && !errors.Is(err, context.Canceled) {
		err = errors.Join(err, errors.New("--keep DIR leaves the logs for a look"))
	}
	return err
}

// nothing reports whether the log is empty: there is nothing to look at.
func (q quickstart) nothing() bool {
	info, err := q.logs.Stat()
	return err == nil && info.Size() == 0
}

func (q *quickstart) makeFolder() (err error) {
	if q.keep == "" {
		q.dir, err = os.MkdirTemp("", "accord-quickstart-*")
		return err
	}
	q.dir = q.keep
	if err := os.Mkdir(q.dir, 0o700); errors.Is(err, os.ErrExist) {
		return fault.As(fault.Exists, fmt.Errorf("folder %s is already there; choose another with --keep", q.dir))
	} else if err != nil {
		return fault.As(fault.Input, err)
	}
	return nil
}

// lead makes the members, starts them in g and sees a run through.
func (q *quickstart) lead(ctx context.Context, g *errgroup.Group) error {
	if err := quote.Fprintf(q.stdout, "In %s:\n", q.dir); err != nil {
		return err
	}
	shards := filepath.Join(q.dir, "shards")
	if err := q.divide(ctx, shards); err != nil {
		return err
	}
	if err := q.coordinate(ctx, g, shards); err != nil {
		return err
	}
	credential, err := pki.OpenCredential(q.founded.adminDir())
	if err != nil {
		return err
	}
	address := q.founded.addresses[0]
	client, err := rpc.Dial(address, credential)
	if err != nil {
		return err
	}
	defer client.Close() // nothing is lost with it
	for i := range q.sites {
		if err := q.site(ctx, g, client, fmt.Sprintf("site-%02d", i+1), shards); err != nil {
			return err
		}
	}
	return q.train(ctx, client)
}

// step tells of one as the command that does it, in the folder of all of it.
func (q *quickstart) step(what string, command ...string) error {
	for i, arg := range command {
		command[i] = strings.ReplaceAll(arg, q.dir+string(filepath.Separator), "")
	}
	if what != "" {
		if err := quote.Fprintln(q.stdout, what); err != nil {
			return err
		}
	}
	return quote.Fprintf(q.stdout, "  %s\n", again(command...))
}

func (q *quickstart) divide(ctx context.Context, shards string) error {
	if err := q.step("Every site has images of its own:", "data", "partition", "--dataset", "digits", "--sites", fmt.Sprint(q.sites), "--out", shards); err != nil {
		return err
	}
	s := config.Defaults().Simulation
	s.Dataset, s.Sites = "digits", q.sites
	return writePartition(ctx, s, 1, shards, io.Discard)
}

// coordinate makes the federation and starts its coordinator.
func (q *quickstart) coordinate(ctx context.Context, g *errgroup.Group, shards string) error {
	listener, err := rpc.ListenPlain("127.0.0.1:0", true)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	q.founded = founding{dir: filepath.Join(q.dir, "federation"), name: "quickstart", admin: "admin", addresses: []string{address}}
	file := filepath.Join(q.founded.coordinatorDir(), "coordinator.yaml")
	if err := errors.Join(
		q.step("A federation has an authority, a coordinator and an admin:", "federation", "init", q.founded.dir, "--address", address),
		q.founded.found(),
		q.step("The coordinator, with a test set in its file, waits for sites and runs:", "coordinator", "-f", file),
	); err != nil {
		return errors.Join(err, listener.Close())
	}
	cfg, err := q.measured(file, shards)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log, err := newLog(q.logs, cfg.LogLevel)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	tests, err := loadTests(cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g.Go(func() error {
		defer tests.Close()
		return coordinateAt(ctx, cfg, listener, tests, log.With(zap.String("process", "coordinator")))
	})
	return nil
}

// measured names the test set in the coordinator's file, as an operator would
// with an editor, and reads the file.
func (q *quickstart) measured(file, shards string) (config.Coordinator, error) {
	tests, err := filepath.Abs(filepath.Join(shards, testFile))
	if err != nil {
		return config.Coordinator{}, err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return config.Coordinator{}, err
	}
	_, err = f.WriteString("test: {dataset: " + strconv.Quote("safetensors:"+tests) + "}\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return config.Coordinator{}, err
	}
	return config.LoadCoordinator(file)
}

// site invites one, lets it join and starts it.
func (q *quickstart) site(ctx context.Context, g *errgroup.Group, client *rpc.Client, name, shards string) error {
	secret := pki.NewSecret()
	federation, err := client.Invite(ctx, name, pki.HashSecret(secret), time.Now().Add(time.Hour))
	if err != nil {
		return err
	}
	token := pki.Token{Federation: federation, Site: name, Coordinator: q.founded.addresses[0], Root: client.Root(), Secret: secret}
	dir := filepath.Join(q.dir, name)
	file := filepath.Join(dir, "participant.yaml")
	data := config.Data{Dataset: "safetensors:" + filepath.Join(shards, name+".safetensors")}
	if err := errors.Join(
		q.step(name+" is invited, joins and takes part:", "invite", name, "--identity", q.founded.adminDir()),
		q.step("", "participant", "join", token.String()[:24]+"…", "--dataset", data.Dataset),
		q.step("", "participant", "-f", file),
	); err != nil {
		return err
	}
	cfg, err := siteConfig(file, token, data)
	if err != nil {
		return err
	}
	if _, err := participant.Join(ctx, token, cfg.Identity); err != nil {
		return err
	}
	if err := writeSiteConfig(file, cfg); err != nil {
		return err
	}
	cfg.Threads = 1 // the sites share this machine
	g.Go(func() error { return participate(ctx, cfg, q.logs) })
	return nil
}

// train submits a run and follows it to its end.
func (q *quickstart) train(ctx context.Context, client *rpc.Client) error {
	run := config.Defaults()
	run.Name, run.Rounds, run.MinSites, run.Seed = "quickstart", q.rounds, q.sites, 1
	file := filepath.Join(q.dir, "run.yaml")
	document, err := run.Marshal()
	if err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(file, document, 0o644),
		q.step("All of them train one model:", "run", "submit", "-f", file, "--watch", "--identity", q.founded.adminDir()),
	); err != nil {
		return err
	}
	s := &steering{client: client, stdout: q.stdout}
	if err := s.submit(ctx, run, true); err != nil {
		return err
	}
	if err := s.watch(ctx, run.Name); err != nil {
		return err
	}
	if q.keep == "" {
		return quote.Fprintf(q.stdout, "Everything is stopped and removed; --keep DIR leaves it. For a federation that stays:\n  %s\n", again("federation", "init", "DIR", "--address", "HOST:7443"))
	}
	err = quote.Fprintf(q.stdout, "Everything is stopped, and stays in %s, with the model:\n  %s\n", q.dir,
		again("model", "show", filepath.Join(q.founded.coordinatorDir(), "state", "runs", run.Name, report.ModelFile)))
	return err
}
