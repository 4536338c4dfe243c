package canary

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
)

var policyKind = schema.GroupVersionKind{Group: admissionv1.GroupName, Version: "v1", Kind: "ValidatingAdmissionPolicy"}

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
	found := map[string]string{}
	policies, err := guard.Policies()
	if err != nil {
		return nil, err
	}
	bindings := &admissionv1.ValidatingAdmissionPolicyBindingList{}
	if err := p.client.List(ctx, bindings); err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("listing the bindings of the policies: %w", err)
	}
	for _, policy := range policies {
		why, err := p.inspect(ctx, policy.Policy.Name, bindings.Items)
		if err != nil {
			return nil, err
		}
		found[policy.Policy.Name] = why
	}
	if err := p.storeCanary(ctx); err != nil {
		return nil, err
	}
	for _, edit := range edits(p.namespace) {
		if found[edit.policy] != "" {
			continue
		}
		why, err := p.try(ctx, edit)
		if err != nil {
			return nil, err
		}
		found[edit.policy] = why
	}
	return found, nil
}

// inspect looks at a policy as it is installed.
func (p *prober) inspect(ctx context.Context, name string, bindings []admissionv1.ValidatingAdmissionPolicyBinding) (string, error) {
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	err := p.client.Get(ctx, client.ObjectKey{Name: name}, policy)
	switch {
	case meta.IsNoMatchError(err):
		return "this API server has no ValidatingAdmissionPolicy in " + policyKind.GroupVersion().String() + ": it takes Kubernetes 1.30", nil
	case apierrors.IsNotFound(err):
		return "it is not installed: apply the guard's manifest again", nil
	case err != nil:
		return "", fmt.Errorf("reading ValidatingAdmissionPolicy %s: %w", name, err)
	}
	if checking := policy.Status.TypeChecking; checking != nil && len(checking.ExpressionWarnings) > 0 {
		warning := checking.ExpressionWarnings[0]
		return fmt.Sprintf("its expression %s does not fit the CRDs of this cluster: %s", warning.FieldRef, warning.Warning), nil
	}
	for _, binding := range bindings {
		if binding.Spec.PolicyName == name {
			return "", nil
		}
	}
	return "no ValidatingAdmissionPolicyBinding asks it: apply the guard's manifest again", nil
}

// storeCanary stores the one object that has to exist for an edit to be
// refused: a config that nothing references, so nothing runs from it.
func (p *prober) storeCanary(ctx context.Context) error {
	err := p.client.Create(ctx, storedConfig(p.namespace))
	switch {
	case err == nil, apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	default:
		return fmt.Errorf("storing MCPExternalAuthConfig %s/%s: %w", p.namespace, Name, err)
	}
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
		return fmt.Sprintf("it let pass by dry run what it has to refuse: %s in namespace %s. Is the namespace labelled %s=%s?",
			edit.what, p.namespace, guard.ModeLabel, guard.ModeOff), nil
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

// warnings keeps the warnings of the last request.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func (w *warnings) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = nil
}

func (w *warnings) contain(mark string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.texts {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// Remove deletes what storeCanary stored.
func Remove(ctx context.Context, c client.Client, namespace string) error {
	err := c.Delete(ctx, storedConfig(namespace))
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil
	}
	return err
}
