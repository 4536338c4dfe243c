package condition

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
)

// ForConfig returns the condition BaselineScopesValid of a shared config with the
// pairs of all its consumers, in any order. It returns nil if the config runs no
// auth server.
func ForConfig(config *v1beta1.MCPExternalAuthConfig, pairs []resolve.Pair) *metav1.Condition {
	if !resolve.RunsAuthServer(config) {
		return nil
	}
	server := config.Spec.EmbeddedAuthServer
	if len(server.BaselineClientScopes) == 0 {
		return baselineScopesValid(metav1.ConditionTrue, v1alpha1.ReasonBaselineScopesSupported, baselineEmpty)
	}
	if len(server.ScopesSupported) > 0 {
		if missing := scopes.Missing(server.BaselineClientScopes, server.ScopesSupported); missing != nil {
			return baselineScopesValid(metav1.ConditionFalse, v1alpha1.ReasonBaselineScopeNotSupported,
				notInScopesSupported(server, missing))
		}
	}
	if message := list(pairs, resolve.NotSupported, notSupportedByConsumer); message != "" {
		return baselineScopesValid(metav1.ConditionFalse, v1alpha1.ReasonBaselineScopeNotSupported, message)
	}
	if message := list(pairs, resolve.Unresolved, unresolved); message != "" {
		return baselineScopesValid(metav1.ConditionUnknown, v1alpha1.ReasonScopesNotResolved, message)
	}
	if len(server.ScopesSupported) > 0 {
		return baselineScopesValid(metav1.ConditionTrue, v1alpha1.ReasonBaselineScopesSupported, allInScopesSupported)
	}
	if len(pairs) == 0 {
		return baselineScopesValid(metav1.ConditionUnknown, v1alpha1.ReasonNotReferenced, notReferenced)
	}
	return baselineScopesValid(metav1.ConditionTrue, v1alpha1.ReasonBaselineScopesSupported, supportedByAll)
}

// ForConsumer returns the condition BaselineScopesValid of a consumer, or nil if
// it runs no auth server.
func ForConsumer(pair resolve.Pair) *metav1.Condition {
	switch pair.Verdict.State {
	case resolve.Supported:
		message := supported(pair)
		if len(pair.Config.BaselineClientScopes) == 0 {
			message = baselineEmpty
		}
		return baselineScopesValid(metav1.ConditionTrue, v1alpha1.ReasonBaselineScopesSupported, message)
	case resolve.NotSupported:
		return baselineScopesValid(metav1.ConditionFalse, v1alpha1.ReasonBaselineScopeNotSupported, NotSupported(pair))
	case resolve.Unresolved:
		return baselineScopesValid(metav1.ConditionUnknown, v1alpha1.ReasonScopesNotResolved, unresolved(pair))
	default:
		return nil
	}
}

func baselineScopesValid(status metav1.ConditionStatus, reason, message string) *metav1.Condition {
	return &metav1.Condition{
		Type: v1alpha1.ConditionBaselineScopesValid, Status: status, Reason: reason, Message: Clip(message),
	}
}
