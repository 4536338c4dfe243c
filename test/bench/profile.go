package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
)

const profiledFor = 20 * time.Second

// profile writes a CPU profile of the API server to bin/NAME.pprof, while it repeats
// work, and returns how often it did.
func profile(ctx context.Context, plane *controlplane.ControlPlane, name string, work func(i int) error) (count int) {
	progress("profiling the API server for %s: bin/%s.pprof", profiledFor, name)
	clientset := must(kubernetes.NewForConfig(plane.Config))
	group, ctx := errgroup.WithContext(ctx)
	working, end := context.WithCancel(ctx)
	group.Go(func() error {
		defer end()
		text, err := clientset.RESTClient().Get().AbsPath("/debug/pprof/profile").Param("seconds", fmt.Sprint(profiledFor.Seconds())).DoRaw(ctx)
		if err != nil {
			return err
		}
		return os.WriteFile("bin/"+name+".pprof", text, 0o600)
	})
	group.Go(func() error {
		for ; working.Err() == nil; count++ {
			if err := work(count); err != nil {
				return err
			}
		}
		return nil
	})
	check(group.Wait())
	return count
}
