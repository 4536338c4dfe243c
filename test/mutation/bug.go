package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// bug is one fault: a file of the folder bugs, which git apply applies. Its head has
// three lines: its class, its name, and what found it when it was last tried.
//
// The classes are those in which model checkers of operators (Sieve, Acto, Anvil) found
// most of their bugs, and the mistakes that scopegate must prevent: gate (something rolls
// out that must not), stale reads, crashes and failures (work is half done, or not
// retried), missed events, others' objects (somebody else's object is written), and
// conditions (a condition or the plugin reports something wrong).
type bug struct {
	class, name, foundBy string
	// file is the path of the file that it changes, and patch its own.
	file, patch string
}

var head = regexp.MustCompile(`(?m)\Aclass: (.+)\nbug: (.+)\nfound by: (.*)\n\n--- a/(.+)\n`)

// readBugs reads the patches in a folder.
func readBugs(folder string) ([]bug, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	var bugs []bug
	for _, path := range paths {
		text, err := os.ReadFile(path) //nolint:gosec // Part of the repository.
		if err != nil {
			return nil, err
		}
		match := head.FindStringSubmatch(string(text))
		if match == nil {
			return nil, fmt.Errorf("%s does not begin with its class, its name and what found it", path)
		}
		bugs = append(bugs, bug{class: match[1], name: match[2], foundBy: match[3], file: match[4], patch: path})
	}
	return bugs, nil
}

// apply writes the file of a repository, with the bug in it, into another folder.
func (b bug) apply(root, folder string) error {
	patch, err := filepath.Abs(b.patch)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, b.file)) //nolint:gosec // The patch names it.
	if err != nil {
		return err
	}
	copied := filepath.Join(folder, b.file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(copied), 0o700), os.WriteFile(copied, text, 0o600)); err != nil {
		return err
	}
	command := exec.Command("git", "apply", "--unidiff-zero", patch) //nolint:gosec // Part of the repository.
	command.Dir = folder
	// The folder is no repository, whatever lies above it.
	command.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(folder))
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("the code has changed, so change the bug %s: %w: %s", b.patch, err, output)
	}
	return nil
}

// writeFoundBy writes into the patch what found the bug.
func (b bug) writeFoundBy(by string) error {
	text, err := os.ReadFile(b.patch)
	if err != nil {
		return err
	}
	written := strings.Replace(string(text), "found by: "+b.foundBy+"\n", "found by: "+by+"\n", 1)
	return os.WriteFile(b.patch, []byte(written), 0o644) //nolint:gosec // Part of the repository.
}
