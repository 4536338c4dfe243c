package faults

import (
	"encoding/json"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// Ending is how the watches of a resource end or continue.
type Ending int

const (
	// Deliver delivers the held events.
	Deliver Ending = iota
	// Cut closes the watches; the next watches deliver the held events.
	Cut
	// Gone closes the watches with a 410 and drops the held events: the client
	// has to list again and never sees the versions between.
	Gone
)

// String returns the name of an ending.
func (e Ending) String() string { return [...]string{"deliver", "cut", "gone"}[e] }

// Hold holds all events of a resource until Release.
func (l *Link) Hold(resource string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setHeld(resource, true)
}

// Release ends a Hold, or ends the watches of a resource that is not held.
func (l *Link) Release(resource string, ending Ending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for stream := range l.streams {
		if ending == Deliver || stream.resource != resource {
			continue
		}
		select {
		case stream.end <- ending:
		default: // An earlier ending counts.
		}
	}
	l.setHeld(resource, false)
}

func (l *Link) setHeld(resource string, held bool) {
	l.held[resource] = held
	close(l.changed)
	l.changed = make(chan struct{})
}

// gate reports whether a resource is held, and returns a channel that is closed
// when that changes.
func (l *Link) gate(resource string) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[resource], l.changed
}

// list answers a list request, the first one from the past if requested by
// Travel.
func (l *Link) list(info *request.RequestInfo, r *http.Request) (*http.Response, error) {
	if version := l.takePast(info.Resource); version != "" {
		r = at(r, version)
	}
	return l.send(info, r)
}

// takePast returns, only once, the resource version for the first list of a
// resource, and holds later events.
func (l *Link) takePast(resource string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	version := l.past[resource]
	if version != "" {
		l.setHeld(resource, true)
		delete(l.past, resource)
		if len(l.past) == 0 {
			close(l.arrived)
		}
	}
	return version
}

func (l *Link) startsInPast(resource string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.past[resource] != ""
}

// at turns a list into one at a resource version.
func at(r *http.Request, version string) *http.Request {
	changed := r.Clone(r.Context())
	query := changed.URL.Query()
	query.Del("limit")
	query.Set("resourceVersion", version)
	query.Set("resourceVersionMatch", string(metav1.ResourceVersionMatchExact))
	changed.URL.RawQuery = query.Encode()
	return changed
}

func (l *Link) watch(info *request.RequestInfo, r *http.Request) (*http.Response, error) {
	// No watch-list starts in the past, so the client has to list it instead.
	if r.URL.Query().Get("sendInitialEvents") == "true" && (l.ListOnly || l.startsInPast(info.Resource)) {
		return statusResponse(r, refused(apierrors.NewInvalid(
			metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", nil)).status), nil
	}
	response, err := l.send(info, r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	response.Body = l.stream(info.Resource, response.Body)
	return response, nil
}

// stream is a watch.
type stream struct {
	*io.PipeReader
	link     *Link
	resource string
	body     io.Closer
	end      chan Ending
	closed   chan struct{}
}

// stream returns a reader of the events in body, which the link can hold.
func (l *Link) stream(resource string, body io.ReadCloser) io.ReadCloser {
	reader, writer := io.Pipe()
	s := &stream{PipeReader: reader, link: l, resource: resource, body: body, end: make(chan Ending, 1), closed: make(chan struct{})}
	l.mu.Lock()
	l.streams[s] = true
	l.mu.Unlock()
	events := make(chan json.RawMessage)
	go s.decode(body, events)
	go func() {
		err := s.pump(writer, events)
		_ = writer.CloseWithError(err)
		s.release()
	}()
	return s
}

func (s *stream) decode(body io.Reader, events chan<- json.RawMessage) {
	defer close(events)
	decoder := json.NewDecoder(body)
	for {
		var event json.RawMessage
		if err := decoder.Decode(&event); err != nil {
			return
		}
		select {
		case events <- event:
		case <-s.closed:
			return
		}
	}
}

func (s *stream) pump(writer io.Writer, events <-chan json.RawMessage) error {
	for {
		held, changed := s.link.gate(s.resource)
		select {
		case ending := <-s.end:
			return s.finish(writer, ending)
		default:
		}
		passing := events
		if held {
			passing = nil
		}
		select {
		case event, open := <-passing:
			if !open {
				return io.EOF
			}
			if _, err := writer.Write(append(event, '\n')); err != nil {
				return err
			}
		case <-changed:
		case <-s.link.Dead():
			return io.EOF
		case ending := <-s.end:
			return s.finish(writer, ending)
		case <-s.closed:
			return io.ErrClosedPipe
		}
	}
}

func (s *stream) finish(writer io.Writer, ending Ending) error {
	if ending == Gone {
		status := refused(apierrors.NewResourceExpired("too old on purpose")).status
		if err := json.NewEncoder(writer).Encode(map[string]any{"type": watch.Error, "object": status}); err != nil {
			return err
		}
	}
	return io.EOF
}

// Close implements io.Closer.
func (s *stream) Close() error {
	s.release()
	return s.PipeReader.Close()
}

func (s *stream) release() {
	s.link.mu.Lock()
	first := s.link.streams[s]
	delete(s.link.streams, s)
	s.link.mu.Unlock()
	if first {
		close(s.closed)
		_ = s.body.Close()
	}
}
