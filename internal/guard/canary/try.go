package canary

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
)

// possibleCauses are why the API server may not apply a policy that is installed as
// it must be.
const possibleCauses = ". Either the namespace " + guard.CanaryNamespace + " has not the label " + guard.ModeLabel + "=" + guard.ModeStrict +
	", or the config " + Name + " there was changed, or the API server started less than a minute ago: then it ignores such policies for a while"

// Check returns the finding on each policy, and on guard.CanaryNamespace. If it could
// not check all, it returns an error besides, and no finding on what it did not check.
func (c *Checker) Check(ctx context.Context) (map[string]Finding, error) {
	found, err := c.compare(ctx)
	tried, tryErr := c.tryAll(ctx, found)
	maps.Copy(found, tried)
	return found, errors.Join(err, tryErr)
}

// tryAll tries the policies that are installed as they must be, and the quota.
func (c *Checker) tryAll(ctx context.Context, compared map[string]Finding) (map[string]Finding, error) {
	found := map[string]Finding{}
	stored, err := c.store(ctx)
	found[guard.CanaryNamespace] = stored
	errs := []error{err}
	for _, try := range []try{
		{guard.ConsumersPolicy, "scopegate-consumers.yaml", "'scopegate-consumers' with binding ", possibleCauses},
		{guard.VirtualMCPServersPolicy, "scopegate-virtualmcpservers.yaml", "'scopegate-virtualmcpservers' with binding ", possibleCauses},
		{guard.StartUpPolicy, "scopegate-start-up.yaml", "'scopegate-start-up' with binding ", possibleCauses},
		{guard.CanaryNamespace, "quota.yaml", quotaMark, ". Apply the guard's manifest again: it has a ResourceQuota for this namespace"},
	} {
		if finding, installed := compared[try.policy]; try.policy != guard.CanaryNamespace && (!installed || finding != (Finding{})) {
			continue
		}
		for _, object := range objects(try.file) {
			finding, err := c.try(ctx, try, object)
			errs = append(errs, err)
			if found[try.policy] == (Finding{}) && err == nil {
				found[try.policy] = finding
			}
		}
	}
	return found, errors.Join(errs...)
}

// try is a file of config/guard/canary/tried with objects whose creation must be
// refused, with mark in the message. hint is added to the message of a finding.
type try struct{ policy, file, mark, hint string }

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

// store creates the config that scopegate-consumers needs.
func (c *Checker) store(ctx context.Context) (Finding, error) {
	err := c.client.Create(ctx, stored())
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		return Finding{}, nil
	case refused(err):
		return Finding{NotTried, fmt.Sprintf("MCPExternalAuthConfig %s can't be stored in namespace %s: %v", Name, guard.CanaryNamespace, err)}, nil
	default:
		return Finding{}, fmt.Errorf("storing MCPExternalAuthConfig %s/%s: %w", guard.CanaryNamespace, Name, err)
	}
}

// try creates by dry run an object that must be refused, and returns a finding if it
// is not.
func (c *Checker) try(ctx context.Context, try try, object *unstructured.Unstructured) (Finding, error) {
	what := fmt.Sprintf("%s %s in namespace %s", object.GetKind(), object.GetName(), object.GetNamespace())
	err := c.client.Create(ctx, object, client.DryRunAll)
	switch {
	case refused(err) && strings.Contains(err.Error(), try.mark):
		return Finding{}, nil
	case err == nil, refused(err) && strings.Contains(err.Error(), quotaMark):
		return Finding{Admitted, fmt.Sprintf("the creation of %s was admitted by dry run, and must be refused%s", what, try.hint)}, nil
	case refused(err):
		return Finding{NotTried, fmt.Sprintf("the creation of %s can't be tried: %v", what, err)}, nil
	default:
		return Finding{}, fmt.Errorf("trying to create %s by dry run: %w", what, err)
	}
}

// refused reports whether the API server refused a request for a reason that does not
// pass by itself.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) || meta.IsNoMatchError(err)
}
