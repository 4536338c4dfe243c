package canary

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
)

// tryAll tries the objects of a file of config/guard/canary/tried. Their creation must be
// refused with mark in the message. hint is added to the message of a finding.
func (c *Checker) tryAll(ctx context.Context, r *results, policy, file, mark, hint string) {
	for _, object := range objects(file) {
		finding, err := c.try(ctx, object, mark, hint)
		r.add(policy, finding, err)
	}
}

// quotaMark is in the message of each refusal by the quota.
const quotaMark = "quota: " + Name

// Name is the name of the stored config and of the quota.
const Name = "scopegate-canary"

// objects returns the objects of a file of config/guard/canary/tried. The files are
// embedded, so it panics if one can't be read.
func objects(file string) []*unstructured.Unstructured {
	text, err := config.Files.ReadFile("guard/canary/tried/" + file)
	if err != nil {
		panic(err)
	}
	objects, err := config.Decode(text)
	if err != nil {
		panic(fmt.Errorf("decoding %s: %w", file, err))
	}
	return objects
}

func stored() *unstructured.Unstructured { return objects("stored.yaml")[0] }

// store creates the config that scopegate-consumers needs, unless it exists.
func (c *Checker) store(ctx context.Context) (Finding, error) {
	config := stored()
	err := c.client.Get(ctx, client.ObjectKeyFromObject(config), config)
	if apierrors.IsNotFound(err) {
		err = c.client.Create(ctx, config)
	}
	return notTried(fmt.Sprintf("storing MCPExternalAuthConfig %s in namespace %s", Name, guard.CanaryNamespace), err)
}

// try creates by dry run an object that must be refused, and returns a finding if it
// is not.
func (c *Checker) try(ctx context.Context, object *unstructured.Unstructured, mark, hint string) (Finding, error) {
	what := fmt.Sprintf("%s %s in namespace %s", object.GetKind(), object.GetName(), object.GetNamespace())
	err := c.client.Create(ctx, object, client.DryRunAll)
	switch {
	case refused(err) && strings.Contains(err.Error(), mark):
		return Finding{}, nil
	// The quota comes last. Only then does the API server find that an object exists.
	case err == nil, apierrors.IsAlreadyExists(err), refused(err) && strings.Contains(err.Error(), quotaMark):
		return Finding{Admitted, fmt.Sprintf("the creation of %s was admitted by dry run, and must be refused%s", what, hint)}, nil
	default:
		return notTried("creating "+what+" by dry run", err)
	}
}

// notTried returns a finding for an error that does not pass by itself, and others as
// they are.
func notTried(what string, err error) (Finding, error) {
	switch {
	case err == nil:
		return Finding{}, nil
	case refused(err):
		return Finding{NotTried, what + ": " + err.Error()}, nil
	default:
		return Finding{}, fmt.Errorf("%s: %w", what, err)
	}
}

// refused reports whether the API server refused a request for a reason that does not
// pass by itself.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) || meta.IsNoMatchError(err)
}
