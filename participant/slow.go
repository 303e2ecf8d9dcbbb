package participant

import (
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The time between two tries after a refusal that only other people's doing ends,
// such as stopping another process that attends as this site: at least as long as
// the coordinator says, then more and more, but never longer than the last: nothing
// that a coordinator says ends a site.
const (
	firstSlowRetry = 15 * time.Second
	maxSlowRetry   = 5 * time.Minute
)

// slowPauses returns these times, without what the coordinator says.
func slowPauses() *backoff.ExponentialBackOff {
	retry := backoff.NewExponentialBackOff()
	retry.RandomizationFactor = 0.5
	retry.InitialInterval = firstSlowRetry
	retry.Multiplier = 2
	retry.MaxInterval = maxSlowRetry
	return retry
}

// elsewhere is why a site does not attend a coordinator that would have it: it is
// another federation's.
type elsewhere struct{ error }

// slowly reports whether err is a refusal of that kind, and after how long, at most
// maxSlowRetry, the coordinator wants to be asked again.
func slowly(err error) (after time.Duration, ok bool) {
	var other elsewhere
	if errors.As(err, &other) {
		return 0, true
	}
	s := status.Convert(err)
	for _, detail := range s.Details() {
		if retry, is := detail.(*errdetails.RetryInfo); is {
			return min(retry.GetRetryDelay().AsDuration(), maxSlowRetry), true
		}
	}
	return 0, s.Code() == codes.Aborted // of an older coordinator: another process took the place
}
