// Command beside shows, on a real cluster with ToolHive's own operator, that the
// guard and that operator do not disturb each other: ToolHive's examples come to
// the same with the guard as without, and neither loses what it wrote of a status.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/test/e2e/churn"
	"github.com/scopegate/scopegate/test/e2e/examples"
	"github.com/scopegate/scopegate/test/e2e/node"
	"github.com/scopegate/scopegate/test/e2e/toolhive"
)

const guardUser = "system:serviceaccount:scopegate-system:scopegate-guard"

func main() {
	folder := flag.String("examples", "", "the `folder` of ToolHive's example manifests; none leaves them out")
	edits := flag.Int("edits", 1000, "how many random edits are made; 0 leaves them out")
	flag.Parse()
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *folder, *edits)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "beside:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder string, edits int) (err error) {
	cluster, err := node.Start(ctx, node.Options{Images: toolhive.Images(), Output: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	if err := toolhive.Install(ctx, cluster); err != nil {
		return err
	}
	admin, err := client.New(cluster.Config, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return err
	}
	var without *examples.Outcome
	if folder != "" {
		if without, err = examples.Apply(ctx, admin, folder); err != nil {
			return err
		}
		if err := removeNamespaces(ctx, cluster, admin); err != nil {
			return err
		}
	}
	for _, part := range []string{"manager/namespace.yaml", "manager/parameters.yaml", "rbac", "policies", "lock"} {
		if _, err := cluster.KubectlQuiet(ctx, nil, "apply", "--server-side", "--filename", filepath.Join("config", "guard", part)); err != nil {
			return err
		}
	}
	if without != nil {
		if err := compare(ctx, admin, cluster.Config, folder, without); err != nil {
			return err
		}
	}
	if edits == 0 {
		return nil
	}
	return stir(ctx, cluster.Config, edits)
}

// asGuard reaches the cluster as the guard's manager does.
func asGuard(admin *rest.Config) *rest.Config {
	cfg := rest.CopyConfig(admin)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: guardUser, Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	return cfg
}

// compare applies the examples once more, with the guard.
func compare(ctx context.Context, admin client.Client, cfg *rest.Config, folder string, without *examples.Outcome) error {
	mgr, err := operator.New(ctx, asGuard(cfg), operator.Options{MetricsBindAddress: "0", HealthProbeBindAddress: "0", Embedded: true})
	if err != nil {
		return err
	}
	managed, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(managed) }()
	with, err := examples.Apply(ctx, admin, folder)
	stop()
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	if differences := examples.Diff(without, with); len(differences) > 0 {
		return fmt.Errorf("with the guard it is not the same:\n%s", strings.Join(differences, "\n"))
	}
	fmt.Printf("ToolHive's examples: %d objects and %d children, the same with the guard as without\n", len(with.Accepted), len(with.Children))
	return nil
}

// removeNamespaces takes the examples away, to apply them again.
func removeNamespaces(ctx context.Context, cluster *node.Cluster, admin client.Client) error {
	list := &corev1.NamespaceList{}
	if err := admin.List(ctx, list); err != nil {
		return err
	}
	arguments := []string{"delete", "namespace", "--timeout=5m"}
	for _, namespace := range list.Items {
		if strings.HasPrefix(namespace.Name, "example-") {
			arguments = append(arguments, namespace.Name)
		}
	}
	_, err := cluster.KubectlQuiet(ctx, nil, arguments...)
	return err
}

func stir(ctx context.Context, cfg *rest.Config, edits int) error {
	result, err := churn.Run(ctx, cfg, churn.Options{
		Copies: 5, Edits: edits, Pause: 50 * time.Millisecond, Quiet: 30 * time.Second, Guard: asGuard(cfg), Seed: 1, Output: os.Stderr,
	})
	if err != nil {
		return err
	}
	fmt.Printf("random edits                                         %d\n", result.Edits)
	fmt.Printf("from an edit to the condition of its generation      %s\n", quantiles(result.Told))
	fmt.Printf("ToolHive's operator overwrote the entry              %d times\n", result.Overwritten)
	fmt.Printf("until it was back                                    %s\n", quantiles(result.Back))
	fmt.Printf("the guard's writes, and changes of its entry         %d, %d\n", result.GuardWrites, result.EntryChanges)
	fmt.Printf("writes in 30 s of quiet: the guard's                 %d\n", result.QuietGuardWrites)
	fmt.Printf("ToolHive's, without the guard and with it            %d, %d\n", result.QuietBefore, result.QuietAfter)
	fmt.Printf("what the guard's writes changed beside its entry     %d\n", len(result.Touched))
	fmt.Printf("conditions that are wrong in the end                 %d\n", len(result.Wrong))
	if len(result.Touched)+len(result.Wrong)+result.QuietGuardWrites > 0 {
		return fmt.Errorf("the guard disturbed ToolHive's operator, or was wrong: %q %q", result.Touched, result.Wrong)
	}
	return nil
}

func quantiles(durations []time.Duration) string {
	if len(durations) == 0 {
		return "never"
	}
	slices.Sort(durations)
	at := func(part int) time.Duration {
		return durations[min(len(durations)-1, len(durations)*part/100)].Round(time.Millisecond)
	}
	return fmt.Sprintf("p50 %s, p99 %s", at(50), at(99))
}
