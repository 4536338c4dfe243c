package operator

import (
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// refusedInterval is how often a refused connection is tried again.
const refusedInterval = 500 * time.Millisecond

// retryRefusedConnections makes requests wait while the API server refuses connections. Were
// they to fail, then watches and objects would be tried again after ever longer
// times, and not until a minute after an API server that was away for one is
// back. Nothing was sent of a request that is refused.
func retryRefusedConnections(cfg *rest.Config) {
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &patient{next} })
}

type patient struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper. It waits as long as the request may.
func (p *patient) RoundTrip(request *http.Request) (*http.Response, error) {
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

// WrappedRoundTripper lets client-go find what is below.
func (p *patient) WrappedRoundTripper() http.RoundTripper { return p.next }
