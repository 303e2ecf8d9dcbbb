package membership

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/gossip"
)

// Rotate replaces the keys with a new one, such as when a site is revoked that
// knows them. Other coordinators must be given the new file. It returns at once; the change takes two overlaps. A call
// while one is under way asks for another after it.
func (m *Membership) Rotate() {
	select {
	case m.rotate <- struct{}{}:
	default: // is asked for already
	}
}

// Rotated tells from when on the ring has been what it is: who was revoked
// before does not know it. A rotation that was cut short does not count.
func (m *Membership) Rotated() time.Time {
	info, err := os.Stat(m.o.Gossip.Keyring)
	if err != nil {
		return time.Time{}
	}
	if keys, _ := m.gossip.Keys(); len(keys) > 1 {
		return info.ModTime().Add(-4 * m.o.Overlap) // the one before it may have been under way
	}
	return info.ModTime()
}

// Keys returns the ring, and what is closed once it is another.
func (m *Membership) Keys() (keys [][]byte, changed <-chan struct{}) {
	return m.gossip.Keys()
}

func (m *Membership) rotateAlways(ctx context.Context) {
	for {
		select {
		case <-m.rotate:
			// Whoever was revoked knows the keys until this is done.
			wait := m.log.With(zap.String("for", "the keyring"))
			if err := coordinator.AwaitDisk(ctx, wait, func() error { return m.rotateOnce(ctx) }); err != nil && ctx.Err() == nil {
				m.log.Error("the keyring could not be changed", zap.Error(err))
			}
		case <-ctx.Done():
			return
		}
	}
}

// rotateOnce takes the three steps: the new key is known everywhere before
// anybody sends with it, and the old ones go when nobody does with them. What
// ctx cuts short stays as it is; the next rotation removes all of it.
func (m *Membership) rotateOnce(ctx context.Context) error {
	old, _ := m.gossip.Keys()
	fresh := gossip.NewKey()
	old = old[:1:1] // earlier ones are overdue
	steps := []gossip.Keys{append(old, fresh), append(gossip.Keys{fresh}, old...), {fresh}}
	for n, keys := range steps {
		if n > 0 {
			wait := time.NewTimer(m.o.Overlap)
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
				return nil
			}
		}
		if err := m.gossip.SetKeys(keys); err != nil {
			return err
		}
	}
	m.log.Info("keyring rotated")
	return nil
}
