package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

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
		if ending != Deliver && stream.resource == resource {
			stream.endAs(ending)
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

// at turns a request into a list at a resource version.
func at(r *http.Request, version string) *http.Request {
	return with(r, func(query url.Values) {
		for _, name := range []string{"watch", "sendInitialEvents", "allowWatchBookmarks", "timeoutSeconds", "limit"} {
			query.Del(name)
		}
		query.Set("resourceVersion", version)
		query.Set("resourceVersionMatch", string(metav1.ResourceVersionMatchExact))
	})
}

func with(r *http.Request, change func(url.Values)) *http.Request {
	changed := r.Clone(r.Context())
	query := changed.URL.Query()
	change(query)
	changed.URL.RawQuery = query.Encode()
	return changed
}

func (l *Link) watch(info *request.RequestInfo, r *http.Request) (*http.Response, error) {
	var initial []json.RawMessage
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		if l.ListOnly {
			return statusResponse(r, refused(apierrors.NewInvalid(
				metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", nil)).status), nil
		}
		if version := l.takePast(info.Resource); version != "" {
			var err error
			if initial, err = l.initialEvents(at(r, version)); err != nil {
				return nil, err
			}
			r = with(r, func(query url.Values) {
				query.Del("sendInitialEvents")
				query.Del("resourceVersionMatch")
				query.Set("resourceVersion", version)
			})
		}
	}
	response, err := l.send(info, r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	response.Body = l.stream(info.Resource, response.Body, initial)
	return response, nil
}

// initialEvents lists the past state and returns it as the events of a
// watch-list.
func (l *Link) initialEvents(r *http.Request) ([]json.RawMessage, error) {
	response, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var list struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ListMeta   `json:"metadata"`
		Items           []json.RawMessage `json:"items"`
	}
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading the past of %s: %w", r.URL.Path, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("reading the past of %s: status %d", r.URL.Path, response.StatusCode)
	}
	kind := metav1.TypeMeta{APIVersion: list.APIVersion, Kind: list.Kind[:len(list.Kind)-len("List")]}
	var events []json.RawMessage
	for _, item := range list.Items {
		events = append(events, event(watch.Added, typed(item, kind)))
	}
	end := metav1.PartialObjectMetadata{TypeMeta: kind, ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: list.Metadata.ResourceVersion, Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}
	text, err := json.Marshal(end)
	if err != nil {
		return nil, err
	}
	return append(events, event(watch.Bookmark, text)), nil
}

// typed adds the kind, which the items of some lists lack.
func typed(item json.RawMessage, kind metav1.TypeMeta) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(item, &object) != nil || object["kind"] != nil {
		return item
	}
	object["kind"], object["apiVersion"] = quoted(kind.Kind), quoted(kind.APIVersion)
	text, err := json.Marshal(object)
	if err != nil {
		return item
	}
	return text
}

func quoted(text string) json.RawMessage { return json.RawMessage(fmt.Sprintf("%q", text)) }

func event(eventType watch.EventType, object json.RawMessage) json.RawMessage {
	return fmt.Appendf(nil, `{"type":%q,"object":%s}`, eventType, object)
}

// stream is a watch.
type stream struct {
	link     *Link
	resource string
	body     io.Closer
	out      *io.PipeReader
	end      chan Ending
	closed   chan struct{}
}

// stream returns a reader of the events in body, which the link can hold.
func (l *Link) stream(resource string, body io.ReadCloser, initial []json.RawMessage) io.ReadCloser {
	reader, writer := io.Pipe()
	s := &stream{link: l, resource: resource, body: body, out: reader, end: make(chan Ending, 1), closed: make(chan struct{})}
	l.mu.Lock()
	l.streams[s] = true
	select {
	case <-l.dead:
		s.endAs(Cut)
	default:
	}
	l.mu.Unlock()
	events := make(chan json.RawMessage)
	go s.decode(body, events)
	go func() {
		err := s.pump(writer, initial, events)
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

func (s *stream) pump(writer io.Writer, initial []json.RawMessage, events <-chan json.RawMessage) error {
	for _, event := range initial {
		if _, err := writer.Write(append(event, '\n')); err != nil {
			return err
		}
	}
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
		text, err := json.Marshal(status)
		if err != nil {
			return err
		}
		if _, err := writer.Write(append(event(watch.Error, text), '\n')); err != nil {
			return err
		}
	}
	return io.EOF
}

// endAs ends the stream; the first ending counts. The link is locked.
func (s *stream) endAs(ending Ending) {
	select {
	case s.end <- ending:
	default:
	}
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) { return s.out.Read(p) }

// Close implements io.Closer.
func (s *stream) Close() error {
	s.release()
	return s.out.Close()
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
