package operator

import (
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// refusedInterval is the time between attempts while connections are refused.
const refusedInterval = 500 * time.Millisecond

// retryRefusedConnections makes requests wait while the API server refuses
// connections. If they failed instead, watches and reconciles would back off ever
// longer, and resume only a minute after an API server is back that was down for
// a minute. It is safe, because nothing of a refused request was sent.
func retryRefusedConnections(cfg *rest.Config) {
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &refusedRetrier{next} })
}

type refusedRetrier struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper. It retries until the request's context
// is done.
func (p *refusedRetrier) RoundTrip(request *http.Request) (*http.Response, error) {
	for {
		response, err := p.next.RoundTrip(request)
		if err == nil || !utilnet.IsConnectionRefused(err) || request.Body != nil && request.GetBody == nil {
			return response, err
		}
		select {
		case <-request.Context().Done():
			return nil, err
		case <-time.After(refusedInterval):
		}
		if request.Body == nil {
			continue
		}
		body, bodyErr := request.GetBody()
		if bodyErr != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Body = body
	}
}

// WrappedRoundTripper lets client-go find the wrapped transport.
func (p *refusedRetrier) WrappedRoundTripper() http.RoundTripper { return p.next }
