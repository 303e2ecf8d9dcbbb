package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/heap"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/version"
)

func newCoordinatorCmd() *cobra.Command {
	var file, listen, dir string
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "Run the coordinator that participants dial",
		Long: `Run a coordinator until Ctrl-C. It waits for participants and for runs, which
` + "`accord run submit`" + ` brings, trains up to max_runs of them at the same time,
measures every version on its test set and publishes it in the folder runs/NAME
of its own folder. Started again on the same folder it goes on where it was,
even after a crash.`,
		Example: "  accord coordinator -f heart/coordinator/coordinator.yaml   # which accord federation init made\n  accord coordinator -f configs/coordinator.yaml\n  accord coordinator -f configs/coordinator.yaml --listen 127.0.0.1:0 --dir /tmp/coordinator",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadCoordinator(file)
			if err != nil {
				return err
			}
			if listen != "" {
				cfg.Listen = listen
			}
			if dir != "" {
				cfg.Dir = dir
			}
			if err := cfg.Validate(); err != nil {
				return err
			}
			return coordinate(cmd.Context(), cfg, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "configuration, YAML (see configs/coordinator.yaml)")
	cmd.Flags().StringVar(&listen, "listen", "", "address to serve at, in place of the file's; port 0 picks a free one")
	cmd.Flags().StringVar(&dir, "dir", "", "folder of journal and artefacts, in place of the file's")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	cmd.AddCommand(newCoordinatorRestoreCmd(), newCoordinatorCompactCmd())
	return cmd
}

// coordinate serves until ctx ends, which is a clean end.
func coordinate(ctx context.Context, cfg config.Coordinator, stderr io.Writer) (err error) {
	log, err := newLog(stderr, cfg.LogLevel)
	if err != nil {
		return err
	}
	tests, err := loadTests(cfg)
	if err != nil {
		return err
	}
	defer tests.Close()
	listener, err := listen(cfg)
	if err != nil {
		return err
	}
	return coordinateAt(ctx, cfg, listener, tests, log)
}

// coordinateAt is coordinate at an address that is open, which it closes.
func coordinateAt(ctx context.Context, cfg config.Coordinator, listener net.Listener, tests *testSet, log *zap.Logger) (err error) {
	n, err := awaitNode(ctx, cfg, tests, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if n == nil {
		return listener.Close()
	}
	defer func() { err = errors.Join(err, n.close()) }()

	members, err := openMembers(cfg, n.Coordinator, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	options := rpc.DefaultOptions()
	options.Version, options.Prepare, options.Security = version.Get().String(), tests.prepare, n.security
	options.Keyring, options.Federation = members.shared(cfg), cfg.PlainFederation()
	if n.security != nil {
		members.follow(n.security.Registry)
	}
	options.Scratch = n.scratch
	log.Info("coordinator ready", zap.String("address", listener.Addr().String()), zap.String("dir", cfg.Dir),
		zap.Int("test_samples", tests.samples()), zap.String("version", options.Version))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.Run(ctx) })
	g.Go(func() error { return n.renew(ctx, log) })
	g.Go(func() error { return members.run(ctx) })
	g.Go(func() error { return rpc.Serve(ctx, listener, n.Coordinator, members, options, log) })
	if err := g.Wait(); err != nil {
		return err
	}
	log.Info("coordinator stopped")
	return nil
}

// node is a coordinator on its folder.
type node struct {
	*coordinator.Coordinator
	security *rpc.Security // nil without certificates
	registry *journal.File // behind security
	scratch  string        // folder of what is being submitted
	files    []io.Closer
}

// close releases what the node has open, the last first.
func (n *node) close() error {
	var errs []error
	for _, f := range slices.Backward(n.files) {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func listen(cfg config.Coordinator) (net.Listener, error) {
	if cfg.Identity == "" {
		return rpc.ListenPlain(cfg.Listen, cfg.Insecure)
	}
	return rpc.Listen(cfg.Listen)
}

// awaitNode is openNode that waits for a disk which is full or fails, but not for a
// folder that is misplaced. It returns nil when ctx ends before.
func awaitNode(ctx context.Context, cfg config.Coordinator, tests *testSet, log *zap.Logger) (n *node, err error) {
	var final error
	err = coordinator.AwaitDisk(ctx, log.With(zap.String("for", "the start")), func() (err error) {
		if n, err = openNode(ctx, cfg, tests, log); err != nil && disk.Lasting(err) {
			final, err = err, nil
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return nil, nil
	}
	return n, errors.Join(err, final)
}

// openNode recovers the coordinator from its folder, which it makes when
// needed. The caller closes it.
func openNode(ctx context.Context, cfg config.Coordinator, tests *testSet, log *zap.Logger) (_ *node, err error) {
	heap.SetFloor(heap.Small)
	n := &node{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fault.As(fault.Input, err)
	}
	records, err := n.open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	n.scratch = filepath.Join(cfg.Dir, "submissions")
	if err := errors.Join(os.RemoveAll(n.scratch), os.MkdirAll(n.scratch, 0o700)); err != nil { // what a crash left
		return nil, fault.As(fault.Input, err)
	}
	blobs, err := spool.Open(filepath.Join(cfg.Dir, "spool"), spool.Options{Sync: true, Later: coordinator.SmallArtefact})
	if err != nil {
		return nil, err
	}
	folders := runFolders(filepath.Join(cfg.Dir, "runs"))
	options := coordinator.Options{
		Journal: records, Custody: records, Spool: blobs, Log: log.Named("coordinator"), Grace: coordinator.DefaultGrace, MaxRuns: cfg.MaxRuns,
		Publisher: &coordinator.Archive{Folder: folders.open, Code: version.Get().String(), ClassNames: tests.names},
		Results:   folders,
	}
	if options.Evaluator, err = evaluatorOf(cfg, tests); err != nil {
		return nil, err
	}
	if n.Coordinator, err = coordinator.New(ctx, options); err != nil {
		return nil, err
	}
	if n.security != nil {
		n.security.Registry.AnchorIn(n.Anchor)
	}
	n.describe(log, records)
	return n, nil
}

// testSet is what versions are measured on, if on anything.
type testSet struct {
	*coordinator.TestSet
	names []string // of the classes
}

func loadTests(cfg config.Coordinator) (*testSet, error) {
	threads := cfg.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	t := &testSet{TestSet: &coordinator.TestSet{Threads: threads}}
	if cfg.Test == (config.Data{}) {
		return t, nil
	}
	split, err := dataset.Load(cfg.Test.Dataset, cfg.Test.Dir)
	if err != nil {
		return nil, err
	}
	if split.Test == nil {
		return nil, fault.Inputf("test: data set %s has no test images", cfg.Test.Dataset)
	}
	t.Test, t.names = split.Test.All(), split.Test.ClassNames()
	if split.Val != nil {
		t.Validation = split.Val.All()
	}
	return t, nil
}

func (t *testSet) samples() int {
	if t.Test == nil {
		return 0
	}
	return t.Test.Len()
}

// prepare is an rpc.Prepare: it settles what a submitted run leaves to the
// coordinator. The reference network is made for the test set's images.
func (t *testSet) prepare(run []byte, initial io.ReaderAt, size int64) (rpc.Submission, error) {
	cfg, err := config.Parse("submitted run", run)
	if err != nil {
		return rpc.Submission{}, err
	}
	shape, classes := [3]int{28, 28, 1}, 10
	if t.Test != nil {
		shape, classes = t.Test.Shape(), t.Test.Classes()
	}
	spec, err := cfg.Model.Resolve(shape[0], shape[1], shape[2], classes)
	if err != nil {
		return rpc.Submission{}, err
	}
	if spec != nil {
		if err := t.Suits(spec); err != nil {
			return rpc.Submission{}, fmt.Errorf("run %s: %w", cfg.Name, err)
		}
	}
	contract, first, how, err := startFrom(spec, initial, size)
	if err != nil {
		return rpc.Submission{}, fmt.Errorf("run %s: %w", cfg.Name, err)
	}
	return rpc.Submission{Definition: define(cfg, spec, contract), Initial: first, Note: how}, nil
}
