package canary

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/scopegate/scopegate/internal/guard"
)

// possibleCauses are why the API server may not apply a policy that is installed as
// it must be.
const possibleCauses = ". Either the namespace " + guard.CanaryNamespace + " has not the label " + guard.ModeLabel + "=" + guard.ModeStrict +
	", or the config " + Name + " there was changed, or the API server started less than a minute ago: then it ignores such policies for a while"

// Check returns the finding on each policy, and on guard.CanaryNamespace. If it could
// not check all, it returns an error besides, and no finding on what it did not check.
func (c *Checker) Check(ctx context.Context) (map[string]Finding, error) {
	r := &results{found: map[string]Finding{}, errs: map[string]error{}}
	for _, policy := range c.policies {
		c.compare(ctx, r, policy)
	}
	finding, err := c.store(ctx)
	r.add(guard.CanaryNamespace, finding, err)
	for _, policy := range []string{guard.ConsumersPolicy, guard.VirtualMCPServersPolicy, guard.StartUpPolicy} {
		// What is not as in the file has a finding already.
		if r.effective(policy) {
			c.tryAll(ctx, r, policy, policy+".yaml", "'"+policy+"' with binding ", possibleCauses)
		}
	}
	c.tryAll(ctx, r, guard.CanaryNamespace, "refused-by-quota.yaml", quotaMark, ". Apply the guard's manifest again: it has a ResourceQuota for this namespace")
	return r.end()
}

// results are those of one check, by policy.
type results struct {
	found map[string]Finding
	errs  map[string]error
}

// add keeps the first finding on a policy, and all errors.
func (r *results) add(policy string, finding Finding, err error) {
	r.errs[policy] = errors.Join(r.errs[policy], err)
	if r.found[policy] == (Finding{}) {
		r.found[policy] = finding
	}
}

// effective reports whether everything that was checked of a policy is as it must be.
func (r *results) effective(policy string) bool {
	finding, checked := r.found[policy]
	return checked && finding == (Finding{}) && r.errs[policy] == nil
}

// end returns the findings. A policy with an error and no finding has none: nobody
// knows whether it is effective.
func (r *results) end() (map[string]Finding, error) {
	for policy, finding := range r.found {
		if finding == (Finding{}) && r.errs[policy] != nil {
			delete(r.found, policy)
		}
	}
	return r.found, errors.Join(slices.Collect(maps.Values(r.errs))...)
}
