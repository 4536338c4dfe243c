package lint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// MaxFileBytes limits the size of a file, and maxInputBytes that of the whole
// input.
const (
	MaxFileBytes  = 64 << 20
	maxInputBytes = 256 << 20
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// stdinName is the file name of standard input in findings.
const stdinName = "<stdin>"

// extensions are those of the files that are read from a folder.
var extensions = []string{".yaml", ".yml", ".json"}

// Source is a named text.
type Source struct {
	Name string
	Text []byte
	// TooLarge is true if the file has more than MaxFileBytes; Text is then
	// empty.
	TooLarge bool
}

// Read returns the sources at the given paths, each once: files, folders (and
// subfolders if recursive) and Stdin. From a folder it reads only files with the
// extension of a manifest, and follows no link out of it. The whole input is
// limited to 256 MiB.
func Read(paths []string, recursive bool, stdin io.Reader) ([]Source, error) {
	r := reader{recursive: recursive, seen: map[string]bool{}}
	for _, at := range paths {
		if err := r.read(at, stdin); err != nil {
			return nil, err
		}
	}
	return r.sources, nil
}

type reader struct {
	recursive bool
	sources   []Source
	seen      map[string]bool
	bytes     int
}

func (r *reader) read(at string, stdin io.Reader) error {
	if at == Stdin {
		return r.add(stdinName, stdin)
	}
	info, err := os.Stat(at)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return r.folder(at)
	case !info.Mode().IsRegular() && info.Mode()&os.ModeNamedPipe == 0:
		return fmt.Errorf("%s is neither a file nor a folder", at)
	}
	file, err := os.Open(at) //nolint:gosec // The user names it.
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // Only read.
	return r.add(filepath.Clean(at), file)
}

// folder reads the manifests of a folder in the order of their paths. It follows
// links within the folder and ignores others, which os.Root rejects.
func (r *reader) folder(at string) error {
	root, err := os.OpenRoot(at)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // Only read.
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return inFolder(at, err)
		case entry.IsDir() && name != "." && !r.recursive:
			return fs.SkipDir
		case entry.IsDir() || !slices.Contains(extensions, strings.ToLower(path.Ext(name))):
			return nil
		}
		info, err := root.Stat(name)
		switch {
		case err != nil && entry.Type()&fs.ModeSymlink != 0:
			return nil
		case err != nil || !info.Mode().IsRegular():
			return inFolder(at, err)
		}
		file, err := root.Open(name)
		if err != nil {
			return inFolder(at, err)
		}
		defer file.Close() //nolint:errcheck // Only read.
		return r.add(filepath.Join(at, filepath.FromSlash(name)), file)
	})
}

// inFolder completes the path in an error of an os.Root, which has only the part
// below the folder.
func inFolder(at string, err error) error {
	var below *fs.PathError
	if errors.As(err, &below) {
		below.Path = filepath.Join(at, filepath.FromSlash(below.Path))
	}
	return err
}

func (r *reader) add(name string, from io.Reader) error {
	if r.seen[name] {
		return nil
	}
	r.seen[name] = true
	text, err := io.ReadAll(io.LimitReader(from, MaxFileBytes+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if r.bytes += len(text); r.bytes > maxInputBytes {
		return fmt.Errorf("the input has more than %d bytes: validate it in parts", maxInputBytes)
	}
	source := Source{Name: name, Text: text}
	if len(text) > MaxFileBytes {
		source.Text, source.TooLarge = nil, true
	}
	r.sources = append(r.sources, source)
	return nil
}
