package participant

import (
	"context"
	"sync"

	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// line is the way to the coordinator, which comes and goes. Methods may be
// called concurrently.
type line struct {
	mu     sync.Mutex
	client accordv1.FederationServiceClient // nil while there is no connection
	up     chan struct{}                    // closed while there is one
}

func newLine() *line { return &line{up: make(chan struct{})} }

func (l *line) connect(c accordv1.FederationServiceClient) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = c
	close(l.up)
}

func (l *line) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = nil
	l.up = make(chan struct{})
}

// wait returns the client of the present connection, or of the next one.
func (l *line) wait(ctx context.Context) (accordv1.FederationServiceClient, error) {
	for {
		l.mu.Lock()
		client, up := l.client, l.up
		l.mu.Unlock()
		if client != nil {
			return client, nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
