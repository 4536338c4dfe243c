// Package policies reads the policies of config/guard for the tests.
package policies

import (
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
)

// Policies are the policies and bindings of the guard. ValidatingBindings also has
// the bindings of StartUp.
type Policies struct {
	Validating         []*admissionv1.ValidatingAdmissionPolicy
	ValidatingBindings []*admissionv1.ValidatingAdmissionPolicyBinding
	// StartUp has a manifest of its own.
	StartUp     *admissionv1.ValidatingAdmissionPolicy
	Hold        *admissionv1.MutatingAdmissionPolicy
	HoldBinding *admissionv1.MutatingAdmissionPolicyBinding
}

// Load reads them. The files are embedded, so it panics if one has anything
// else.
func Load() Policies {
	policies := Policies{}
	for _, folder := range []string{"guard/policies", "guard/hold", "guard/start-up"} {
		objects, err := config.Objects(folder)
		for _, object := range objects {
			err = errors.Join(err, policies.add(object))
		}
		if err != nil {
			panic(fmt.Errorf("decoding config/%s: %w", folder, err))
		}
	}
	return policies
}

func (p *Policies) add(object *unstructured.Unstructured) (err error) {
	switch object.GetKind() {
	case "ValidatingAdmissionPolicy":
		if object.GetName() == guard.StartUpPolicy {
			p.StartUp, err = decode[admissionv1.ValidatingAdmissionPolicy](object)
			return err
		}
		return appendDecoded(&p.Validating, object)
	case "ValidatingAdmissionPolicyBinding":
		return appendDecoded(&p.ValidatingBindings, object)
	case "MutatingAdmissionPolicy":
		p.Hold, err = decode[admissionv1.MutatingAdmissionPolicy](object)
	case "MutatingAdmissionPolicyBinding":
		p.HoldBinding, err = decode[admissionv1.MutatingAdmissionPolicyBinding](object)
	default:
		err = fmt.Errorf("config/guard has a %s among its policies", object.GetKind())
	}
	return err
}

func appendDecoded[T any](list *[]*T, object *unstructured.Unstructured) error {
	decoded, err := decode[T](object)
	*list = append(*list, decoded)
	return err
}

func decode[T any](object *unstructured.Unstructured) (*T, error) {
	decoded := new(T)
	return decoded, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, decoded, true)
}

// Policy returns a validating policy.
func (p Policies) Policy(name string) *admissionv1.ValidatingAdmissionPolicy {
	if name == p.StartUp.Name {
		return p.StartUp
	}
	i := slices.IndexFunc(p.Validating, func(policy *admissionv1.ValidatingAdmissionPolicy) bool { return policy.Name == name })
	if i < 0 {
		panic("no policy " + name)
	}
	return p.Validating[i]
}

// Objects returns a policy, and after it its bindings.
func (p Policies) Objects(name string) []client.Object {
	if name == p.Hold.Name {
		return []client.Object{p.Hold, p.HoldBinding}
	}
	objects := []client.Object{p.Policy(name)}
	for _, binding := range p.ValidatingBindings {
		if binding.Spec.PolicyName == name {
			objects = append(objects, binding)
		}
	}
	return objects
}
