package canary

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
)

// prober finds out which policies bite.
type prober struct {
	client    client.Client
	namespace string
	warnings  *warnings
}

func newProber(cfg *rest.Config, scheme *runtime.Scheme, namespace string) (*prober, error) {
	warnings := &warnings{}
	cfg = rest.CopyConfig(cfg)
	cfg.WarningHandlerWithContext = warnings
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return &prober{client: c, namespace: namespace, warnings: warnings}, nil
}

func (p *prober) probe(ctx context.Context) (map[string]string, error) {
	found, err := p.inspectAll(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.storeCanaries(ctx); err != nil {
		return nil, err
	}
	for _, edit := range edits(p.namespace) {
		if found[edit.policy] != "" {
			continue
		}
		if found[edit.policy], err = p.try(ctx, edit); err != nil {
			return nil, err
		}
	}
	return found, p.tryHold(ctx, found)
}

// storeCanaries stores the objects that have to exist for an edit to be refused
// or held: a config that nothing references and a ConfigMap that nothing mounts,
// so nothing runs from them.
func (p *prober) storeCanaries(ctx context.Context) error {
	for _, object := range stored(p.namespace) {
		err := p.client.Create(ctx, object)
		switch {
		case err == nil, apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		default:
			return fmt.Errorf("storing %T %s/%s: %w", object, p.namespace, Name, err)
		}
	}
	return nil
}

// try makes an edit by dry run, which its policy has to refuse, or to warn of
// where the namespace is in that mode.
func (p *prober) try(ctx context.Context, edit edit) (string, error) {
	p.warnings.reset()
	err := p.client.Create(ctx, edit.object, client.DryRunAll)
	mark := fmt.Sprintf("'%s' with binding ", edit.policy)
	switch {
	case refused(err, mark), p.warnings.contain(mark):
		return "", nil
	case err == nil:
		return fmt.Sprintf("it let pass by dry run what it has to refuse: %s in namespace %s. If the namespace is not, label it %s=%s",
			edit.what, p.namespace, guard.ModeLabel, guard.ModeDeny), nil
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return fmt.Sprintf("%s can't be tried in namespace %s: %v", edit.what, p.namespace, err), nil
	default:
		return "", fmt.Errorf("trying policy %s by dry run: %w", edit.policy, err)
	}
}

func refused(err error, mark string) bool {
	var status *apierrors.StatusError
	return errors.As(err, &status) && strings.Contains(status.ErrStatus.Message, mark)
}

// tryHold updates the stored ConfigMap by dry run to what has to be held, and
// warned of, and adds what it finds.
func (p *prober) tryHold(ctx context.Context, found map[string]string) error {
	if found[guard.LockHold] != "" {
		return nil
	}
	p.warnings.reset()
	update := runConfig(p.namespace, scope)
	err := p.client.Update(ctx, update, client.DryRunAll)
	switch {
	case err == nil && update.Data[runConfigKey] == runConfig(p.namespace, supported).Data[runConfigKey]:
		if found[guard.LockWarn] == "" && !p.warnings.contain(fmt.Sprintf("'%s' with binding ", guard.LockWarn)) {
			found[guard.LockWarn] = fmt.Sprintf("it does not warn by dry run of what is held: the update of ConfigMap %s/%s", p.namespace, Name)
		}
		return nil
	case err == nil, apierrors.IsInvalid(err), apierrors.IsForbidden(err):
		found[guard.LockHold] = fmt.Sprintf("it did not hold by dry run what it has to: the update of ConfigMap %s/%s%s. If the namespace is not, label it %s=%s",
			p.namespace, Name, because(err), guard.ModeLabel, guard.ModeDeny)
		return nil
	default:
		return fmt.Errorf("trying policy %s by dry run: %w", guard.LockHold, err)
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// Remove deletes what storeCanaries stored.
func Remove(ctx context.Context, c client.Client, namespace string) error {
	for _, object := range stored(namespace) {
		if err := c.Delete(ctx, object); err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return fmt.Errorf("deleting %T %s/%s: %w", object, namespace, Name, err)
		}
	}
	return nil
}
