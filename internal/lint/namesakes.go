package lint

import (
	"fmt"
	"path/filepath"
)

// maxNearest limits how many objects of one name are compared with another, so
// that the work grows with the input and not with its square.
const maxNearest = 10

// byID finds objects by their ID. An input can have several with one ID, for
// example those of two clusters.
type byID map[Object]namesakes

// namesakes are the objects with one ID.
type namesakes struct {
	all []*member
	// near has them by file, and by each folder above it. It is nil for a single
	// object.
	near map[string][]*member
}

// add adds an object. It reports an earlier one with the same ID.
func (b byID) add(m *member) {
	if m.id.Name == "" || m.generated() {
		return
	}
	id := m.id.key()
	if all := b[id].all; len(all) > 0 {
		earlier := all[len(all)-1]
		m.report(ruleTwice, Finding{Field: "metadata.name", Message: fmt.Sprintf("%s is also at %s:%d; each is validated with what is nearest to it, so run lint once for each cluster",
			m.id, earlier.result.document.source.Name, earlier.line)})
	}
	b.put(id, m)
}

// put adds an object under an ID.
func (b byID) put(id Object, m *member) {
	same := b[id]
	same.all = append(same.all, m)
	switch {
	case same.near != nil:
		same.index(m)
	case len(same.all) > 1:
		same.near = map[string][]*member{}
		for _, m := range same.all {
			same.index(m)
		}
	}
	b[id] = same
}

func (n namesakes) index(m *member) {
	for at := range searchPath(m) {
		if len(n.near[at]) < maxNearest {
			n.near[at] = append(n.near[at], m)
		}
	}
}

// nearest returns the objects with an ID that are nearest to another object: in
// its file, or else in its folder, or else in the folder above it, and so on.
func (b byID) nearest(id Object, to *member) []*member {
	same := b[id]
	if same.near == nil {
		return same.all
	}
	for at := range searchPath(to) {
		if found := same.near[at]; len(found) > 0 {
			return found
		}
	}
	return nil
}

// searchPath yields the file of an object, each folder above it, and last a place
// that all objects share.
func searchPath(m *member) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		at := "file " + m.result.document.source.Name
		for folder := filepath.Dir(m.result.document.source.Name); yield(at); folder = filepath.Dir(folder) {
			if at == folder {
				yield("")
				return
			}
			at = folder
		}
	}
}
