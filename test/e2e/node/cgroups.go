package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// folderPrefix is the start of the name of each cluster's folder.
const folderPrefix = "scopegate-node-"

// cgroupRoot is where the machine's cgroups are: one tree, or in version 1 one
// for each controller.
const cgroupRoot = "/sys/fs/cgroup"

// cgroupName is the cgroup below which a cluster's pods are.
func cgroupName(folder string) string { return filepath.Base(folder) }

func cgroupTrees() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return []string{cgroupRoot}, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, err
	}
	var trees []string
	for _, entry := range entries {
		// cpu,cpuacct has two links to it.
		if entry.IsDir() {
			trees = append(trees, filepath.Join(cgroupRoot, entry.Name()))
		}
	}
	return trees, nil
}

// makeCgroups makes the cgroup that kubelet then fills.
func makeCgroups(name string) error {
	trees, err := cgroupTrees()
	if err != nil {
		return fmt.Errorf("reading the machine's cgroups: %w", err)
	}
	for _, tree := range trees {
		folder := filepath.Join(tree, name)
		if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // As cgroups are.
			return fmt.Errorf("making a cgroup: %w", err)
		}
		// In version 1 a new cgroup has no processors and no memory.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			all, err := os.ReadFile(filepath.Join(tree, file)) //nolint:gosec // Below cgroupRoot.
			if err != nil || tree == cgroupRoot {
				continue
			}
			if err := os.WriteFile(filepath.Join(folder, file), all, 0o600); err != nil {
				return fmt.Errorf("setting %s: %w", file, err)
			}
		}
	}
	return nil
}

// removeCgroups removes a cgroup with those below it. Processes that were just
// killed may stay for a moment.
func removeCgroups(name string) error {
	trees, err := cgroupTrees()
	if err != nil {
		return err
	}
	var errs []error
	for _, tree := range trees {
		errs = append(errs, removeTree(filepath.Join(tree, name)))
	}
	return errors.Join(errs...)
}

func removeTree(root string) error {
	var folders []string
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil
	})
	slices.Reverse(folders)
	for _, folder := range folders {
		err := syscall.Rmdir(folder)
		for try := 0; errors.Is(err, syscall.EBUSY) && try < 100; try++ {
			time.Sleep(20 * time.Millisecond)
			err = syscall.Rmdir(folder)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the cgroup %s: %w", folder, err)
		}
	}
	return nil
}

// lockFolder marks a cluster's folder as in use, until this process ends.
func lockFolder(folder string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600) //nolint:gosec // Our own folder.
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", folder, err), lock.Close())
	}
	return lock, nil
}

// sweep removes the folders and cgroups of clusters whose process was killed.
// Their programs and mounts ended with it. It ignores errors.
func sweep() {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, entry := range entries {
		folder := filepath.Join(os.TempDir(), entry.Name())
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), folderPrefix) {
			continue
		}
		lock, err := lockFolder(folder)
		if err != nil {
			continue
		}
		_ = removeCgroups(cgroupName(folder))
		_ = os.RemoveAll(folder)
		_ = lock.Close()
	}
}
