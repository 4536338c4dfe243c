// Package setup has what the suites on the guard's policies share: it installs
// the policies, makes namespaces in a mode, and waits until the API server uses
// everything that is stored.
package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// DiscardLogs drops what controller-runtime logs.
func DiscardLogs() { ctrl.SetLogger(logr.Discard()) }

// Install creates the policies and their bindings, the start-up policy included. Here
// they fail closed, so that an expression that can't be evaluated rejects.
func Install(ctx context.Context, c client.Client) error {
	policies, err := guard.Policies(guard.ModeWarn, nil)
	if err != nil {
		return err
	}
	for _, policy := range policies {
		policy.Spec.FailurePolicy = ptr.To(admissionv1.Fail)
		if err := c.Create(ctx, policy.ValidatingAdmissionPolicy); err != nil {
			return err
		}
		for _, binding := range policy.Bindings {
			if err := c.Create(ctx, binding); err != nil {
				return err
			}
		}
	}
	return nil
}

// Namespace makes a namespace in a mode; "" is no mode.
func Namespace(ctx context.Context, c client.Client, mode string) (string, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "guard-"}}
	if mode != "" {
		namespace.Labels = map[string]string{guard.ModeLabel: mode}
	}
	if err := c.Create(ctx, namespace); err != nil {
		return "", fmt.Errorf("creating a namespace: %w", err)
	}
	return namespace.Name, nil
}

// SetMode changes the mode of a namespace; Settle waits until it applies.
func SetMode(ctx context.Context, c client.Client, namespace, mode string) error {
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, guard.ModeLabel, mode)
	return c.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// Settle returns when every policy is active and sees all objects that were stored
// before the call. Policies read namespaces and the other end of a reference from
// caches, each of which follows the order of the writes. So a rejection that needs the
// last write proves the rest.
func Settle(ctx context.Context, c client.Client) error {
	namespace, err := Namespace(ctx, c, guard.ModeOff)
	if err != nil {
		return err
	}
	// Each consumer lacks a scope from the start, so that a manager, if one runs, agrees
	// with the condition.
	forServer, forProxy := sample.Config(namespace, "for-server", "openid", "old"), sample.Config(namespace, "for-proxy", "openid", "old")
	server := sample.Server(namespace, "canary", sample.AuthServerRef("for-server", "openid"))
	proxy := sample.Proxy(namespace, "canary", sample.AuthServerRef("for-proxy", "openid"))
	virtual := sample.Virtual(namespace, "canary", sample.AuthServer("old"), "openid")
	for _, object := range []client.Object{server, proxy, virtual, forServer, forProxy} {
		if err := c.Create(ctx, object); err != nil {
			return err
		}
	}
	for _, consumer := range []client.Object{server, proxy, virtual} {
		if err := Judge(ctx, c, consumer, metav1.ConditionFalse); err != nil {
			return err
		}
	}
	if err := SetMode(ctx, c, namespace, guard.ModeStrict); err != nil {
		return err
	}
	// Patches without a resourceVersion, as the manager writes the status.
	update := func(object client.Object, patch string) func() error {
		return func() error {
			return c.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
		}
	}
	create := func(object client.Object) func() error {
		return func() error { return c.Create(ctx, object.DeepCopyObject().(client.Object), client.DryRunAll) }
	}
	const baseline, scopes = `{"baselineClientScopes":["canary"]}`, `{"spec":{"oidcConfigRef":{"scopes":["canary"]}}}`
	type canary struct {
		policy string
		edit   func() error
	}
	canaries := []canary{
		{guard.ConfigsForMCPServersPolicy, update(forServer, `{"spec":{"embeddedAuthServer":`+baseline+`}}`)},
		{guard.ConfigsForMCPRemoteProxiesPolicy, update(forProxy, `{"spec":{"embeddedAuthServer":`+baseline+`}}`)},
		{guard.ConsumersPolicy, update(server, scopes)},
		{guard.ConsumersPolicy, update(proxy, scopes)},
		{guard.VirtualMCPServersPolicy, update(virtual, `{"spec":{"authServerConfig":`+baseline+`}}`)},
		{guard.PodsOfMCPServersPolicy, create(Pod(server))},
		{guard.PodsOfMCPRemoteProxiesPolicy, create(Pod(proxy))},
		{guard.PodsOfVirtualMCPServersPolicy, create(Pod(virtual))},
	}
	err = c.Get(ctx, client.ObjectKey{Name: guard.StartUpPolicy}, &admissionv1.ValidatingAdmissionPolicy{})
	if err == nil {
		for _, object := range refusedAtStart(namespace) {
			canaries = append(canaries, canary{guard.StartUpPolicy, create(object)})
		}
	} else if !apierrors.IsNotFound(err) {
		return err
	}
	for _, canary := range canaries {
		if err := AwaitRefusal(ctx, canary.policy, canary.edit); err != nil {
			return err
		}
	}
	return nil
}

// refusedAtStart returns objects with a config with which the auth server
// refuses to start.
func refusedAtStart(namespace string) []client.Object {
	config, virtual := sample.Config(namespace, "refused"), sample.Virtual(namespace, "refused", sample.AuthServer())
	for _, server := range []*v1alpha1.EmbeddedAuthServerConfig{config.Spec.EmbeddedAuthServer, virtual.Spec.AuthServerConfig} {
		server.TokenLifespans = &v1alpha1.TokenLifespanConfig{AccessTokenLifespan: "1s"}
	}
	return []client.Object{config, virtual}
}

// AwaitRefusal repeats an edit until a policy rejects it. The API server has no
// event for the moment when it starts to evaluate a policy.
func AwaitRefusal(ctx context.Context, policy string, edit func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, 2*time.Minute, true, func(context.Context) (bool, error) {
		last = edit()
		refusal, ok := AsRefusal(last)
		if last != nil && !ok {
			return false, last
		}
		// A policy that is not ready rejects as well.
		return refusal.Policy == policy && !strings.HasPrefix(refusal.Message, "failed to configure "), nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("waiting until policy %s refuses: %w; the last answer follows, if not admitted", policy, err), last)
	}
	return nil
}

// Refusal is the answer of a policy.
type Refusal struct{ Policy, Binding, Message string }

// AsRefusal returns the answer of a policy, and false if err does not come from one.
func AsRefusal(err error) (Refusal, bool) {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil || len(status.ErrStatus.Details.Causes) != 1 {
		return Refusal{}, false
	}
	return parse(status.ErrStatus.Details.Causes[0].Message, "ValidatingAdmissionPolicy ", " denied request: ")
}

// asWarning returns what a policy said in a warning.
func asWarning(text string) (Refusal, bool) {
	return parse(text, "Validation failed for ValidatingAdmissionPolicy ", ": ")
}

// parse reads: <start>'POLICY' with binding 'BINDING'<end>MESSAGE.
func parse(text, start, end string) (Refusal, bool) {
	rest, ok := strings.CutPrefix(text, start+"'")
	if !ok {
		return Refusal{}, false
	}
	policy, rest, named := strings.Cut(rest, "' with binding '")
	binding, message, bound := strings.Cut(rest, "'"+end)
	return Refusal{policy, binding, message}, named && bound
}

type warningsKey struct{}

// withWarnings returns a context for requests of a client with the warningHandler, and where their
// warnings will be.
func withWarnings(ctx context.Context) (context.Context, *[]string) {
	warnings := &[]string{}
	return context.WithValue(ctx, warningsKey{}, warnings), warnings
}

type warningHandler struct{}

func (warningHandler) HandleWarningHeaderWithContext(ctx context.Context, _ int, _ string, text string) {
	if warnings, ok := ctx.Value(warningsKey{}).(*[]string); ok {
		*warnings = append(*warnings, text)
	}
}

// LikeToolHive returns scopegate's CRDs without what ToolHive's CRDs lack: the field
// scopesSupported, the rules that policies replace, and the bounds of a list and of
// texts.
func LikeToolHive() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	crds, err := config.CRDs()
	if err != nil {
		return nil, err
	}
	for _, crd := range crds {
		for _, version := range crd.Spec.Versions {
			config.EachSchema(version.Schema.OpenAPIV3Schema, strip)
		}
	}
	return crds, nil
}

func strip(schema *apiextensionsv1.JSONSchemaProps) {
	schema.XValidations = slices.DeleteFunc(schema.XValidations, func(rule apiextensionsv1.ValidationRule) bool {
		// Rules on something with which the auth server refuses to start read durations
		// or match URLs.
		return strings.HasSuffix(rule.FieldPath, ".baselineClientScopes") || strings.Contains(rule.Rule, "duration(") || strings.Contains(rule.Rule, ".matches(")
	})
	delete(schema.Properties, "scopesSupported")
	if schema.Type == "string" {
		schema.MaxLength = nil
	}
	if scopes, ok := schema.Properties["scopes"]; ok {
		scopes.MaxItems = nil
		schema.Properties["scopes"] = scopes
	}
}

// Judge writes the condition BaselineScopesValid of an object, for its generation as
// it is there, as the manager does.
func Judge(ctx context.Context, c client.Client, object client.Object, verdict metav1.ConditionStatus) error {
	condition, err := json.Marshal(metav1.Condition{
		Type: v1alpha1.ConditionBaselineScopesValid, Status: verdict, Reason: v1alpha1.ReasonBaselineScopeNotSupported,
		Message: "judged by a test", ObservedGeneration: object.GetGeneration(), LastTransitionTime: metav1.Now(),
	})
	if err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"status":{"conditions":[%s]}}`, condition)
	return c.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// Pod returns a pod like those that ToolHive's operator lets a Deployment create for
// a consumer, whose kind it takes from the Go type.
func Pod(consumer client.Object) *corev1.Pod {
	kind := strings.ToLower(reflect.TypeOf(consumer).Elem().Name())
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: consumer.GetNamespace(), GenerateName: consumer.GetName() + "-",
			Labels: map[string]string{toolhive.OwnedLabel: "true", toolhive.NameLabel: kind, toolhive.InstanceLabel: consumer.GetName()},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "example.com/proxy"}}},
	}
}
