package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// The groups besides ours that have the kind MCPExternalAuthConfig.
const (
	// withoutRules has the schema without a CEL rule.
	withoutRules = "without-rules.bench.scopegate.dev"
	// withOneRule has only the rule on the baseline.
	withOneRule = "with-one-rule.bench.scopegate.dev"
	// withWebhook has no CEL rule, and a webhook that checks the baseline.
	withWebhook = "with-webhook.bench.scopegate.dev"
)

type load struct {
	name                string
	baseline, supported int
	target              string
}

var loads = []load{
	{"2 of 6 scopes", 2, 6, "<= 0.10"},
	{"10 of 100 scopes", 10, 100, "<= 0.30"},
}

func (l load) object() client.Object {
	all := make([]string, l.supported)
	for i := range all {
		all[i] = fmt.Sprintf("https://auth.example.com/scopes/%d", i)
	}
	config := sample.Config(namespace, "", all[l.supported-l.baseline:]...)
	config.Spec.EmbeddedAuthServer.ScopesSupported = all
	return config
}

// webhookBench is P2. It compares the time that the rules add to the create of an
// object with the time that a webhook with the same check adds. The creates are dry
// runs, which leave out etcd.
func webhookBench(ctx context.Context) {
	plane, admin := startPlane(ctx, controlplane.Options{})
	defer stop(plane.Stop)
	crds := must(config.CRDs())
	crd := ofKind(crds, "MCPExternalAuthConfig")
	must(envtest.InstallCRDs(plane.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{
		withRulesOf(crd, withoutRules, noRule), withRulesOf(crd, withOneRule, onBaseline), withRulesOf(crd, withWebhook, noRule),
	}}))
	server := serveWebhook(ctx, admin)
	defer server.Close()
	result := newTable("P2: what a check adds to the create of an MCPExternalAuthConfig", "measured", "target")
	for _, load := range loads {
		count := createsPerRound * rounds
		progress("%s: creating %d objects in each group, by dry runs", load.name, count)
		took := creates(ctx, client.NewDryRunClient(admin), load.object(), count, ours, withoutRules, withOneRule, withWebhook)
		added := func(group string) float64 { return percentile(took[group], 0.5) - percentile(took[withoutRules], 0.5) }
		against := func(group string) string {
			return fmt.Sprintf("%.2f (%.3f / %.3f ms)", added(group)/added(withWebhook), added(group), added(withWebhook))
		}
		result.row(load.name+", the rule on the baseline / a webhook with the same check", against(withOneRule), load.target)
		result.row(fmt.Sprintf("%s, all %d rules of the kind / the webhook", load.name, ruleCount(crd)), against(ours), "")
	}
	result.print()
}

// subsetRule is the start of the message of the rule on the baseline.
const subsetRule = "every scope of baselineClientScopes"

// withRulesOf returns a CRD for another group with those of its rules that keep
// reports true for.
func withRulesOf(crd *apiextensionsv1.CustomResourceDefinition, group string, keep func(apiextensionsv1.ValidationRule) bool) *apiextensionsv1.CustomResourceDefinition {
	changed := regroup(crd, group)
	for i := range changed.Spec.Versions {
		config.EachSchema(changed.Spec.Versions[i].Schema.OpenAPIV3Schema, func(schema *apiextensionsv1.JSONSchemaProps) {
			schema.XValidations = slices.DeleteFunc(schema.XValidations, func(rule apiextensionsv1.ValidationRule) bool { return !keep(rule) })
		})
	}
	return changed
}

func noRule(apiextensionsv1.ValidationRule) bool { return false }

func onBaseline(rule apiextensionsv1.ValidationRule) bool {
	return strings.HasPrefix(rule.Message, subsetRule)
}

type checkBaseline struct{ decoder admission.Decoder }

func (c checkBaseline) Handle(_ context.Context, request admission.Request) admission.Response {
	created := &v1beta1.MCPExternalAuthConfig{}
	if err := c.decoder.DecodeRaw(request.Object, created); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	auth := created.Spec.EmbeddedAuthServer
	if len(auth.ScopesSupported) > 0 && len(scopes.Missing(auth.BaselineClientScopes, auth.ScopesSupported)) > 0 {
		return admission.Denied(subsetRule + " must be in scopesSupported")
	}
	return admission.Allowed("")
}

// serveWebhook serves the webhook by TLS on the loopback, as controller-runtime
// does, and registers it with the API server.
func serveWebhook(ctx context.Context, admin client.Client) *httptest.Server {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(schema.GroupVersion{Group: withWebhook, Version: v1beta1.GroupVersion.Version}, &v1beta1.MCPExternalAuthConfig{})
	handler := &admission.Webhook{Handler: checkBaseline{admission.NewDecoder(scheme)}}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	registered := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: withWebhook},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    withWebhook,
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: ptr.To(server.URL), CABundle: certificate},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{withWebhook}, APIVersions: []string{"*"}, Resources: []string{"*"}},
			}},
		}},
	}
	check(admin.Create(ctx, registered))
	return server
}
