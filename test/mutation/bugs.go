package main

type class string

// The classes are those in which model checkers of operators (Sieve, Acto,
// Anvil) found most of their bugs, and the mistakes that scopegate must
// prevent.
const (
	gate     class = "gate"              // something rolls out that must not
	stale    class = "stale reads"       // an old state is taken for the present
	partial  class = "crashes, failures" // work is half done, or not retried
	missed   class = "missed events"     // nobody notices a change
	foreign  class = "others' objects"   // somebody else's object is written
	reported class = "conditions"        // a condition or the plugin reports something wrong
)

// bug is one fault: it replaces old in file, where old occurs once.
type bug struct {
	class     class
	name      string
	file      string
	old, made string
}

const (
	consumerFile      = "internal/controller/standalone.go"
	configFile        = "internal/controller/config.go"
	guardFile         = "internal/controller/guard.go"
	watchFile         = "internal/controller/watch.go"
	applyFile         = "internal/rollout/apply.go"
	restoreFile       = "internal/rollout/restore.go"
	checkFile         = "internal/rollout/check.go"
	patchFile         = "internal/status/patch.go"
	writerSource      = "internal/guard/writer/writer.go"
	guardSource       = "internal/guard/guard.go"
	checkerSource     = "internal/guard/canary/checker.go"
	compareSource     = "internal/guard/canary/compare.go"
	trySource         = "internal/guard/canary/try.go"
	inventorySource   = "internal/inventory/guard.go"
	pairsFile         = "internal/lint/pairs.go"
	validateFile      = "internal/lint/validate.go"
	treeFile          = "internal/inventory/tree/build.go"
	stateFile         = "internal/inventory/tree/rollout.go"
	consumersPolicy   = "config/guard/policies/scopegate-consumers.yaml"
	virtualPolicy     = "config/guard/policies/scopegate-virtualmcpservers.yaml"
	serverPolicy      = "config/guard/policies/scopegate-configs-for-mcpservers.yaml"
	proxyPolicy       = "config/guard/policies/scopegate-configs-for-mcpremoteproxies.yaml"
	startPolicy       = "config/guard/start-up/scopegate-start-up.yaml"
	serverPodsPolicy  = "config/guard/policies/scopegate-pods-of-mcpservers.yaml"
	proxyPodsPolicy   = "config/guard/policies/scopegate-pods-of-mcpremoteproxies.yaml"
	virtualPodsPolicy = "config/guard/policies/scopegate-pods-of-virtualmcpservers.yaml"
	resolveFile       = "internal/resolve/resolve.go"
	consumerSource    = "internal/resolve/consumer.go"
)

var bugs = []bug{
	{gate, "a baseline that is not supported rolls out", checkFile,
		`return &Hold{Reason: v1alpha1.ReasonBaselineScopeNotSupported, Stalled: true}`, `return nil`},
	{gate, "scopesSupported is not read", resolveFile,
		`scopes.Effective(config.ScopesSupported, oidcScopes, consumer.Defaults)`, `scopes.Effective(nil, oidcScopes, consumer.Defaults)`},
	{gate, "the scopes of the consumer's OIDC reference are not read", resolveFile,
		`oidcScopes = consumer.OIDC.Scopes`, `oidcScopes = nil`},
	{gate, "of two embedded configs the second is taken", resolveFile,
		`case auth != "":`, `case auth != "" && external == auth:`},
	{gate, "an anonymous VirtualMCPServer is taken for one with OIDC", consumerSource,
		`if server.Spec.IncomingAuth.Type == v1alpha1.IncomingAuthTypeOIDC {`, `if server.Spec.IncomingAuth.OIDCConfigRef != nil {`},
	{gate, "a missing MCPOIDCConfig holds nothing", checkFile, `if !oidcConfigFound {`, `if !oidcConfigFound && pair.Consumer.OIDC == nil {`},
	{gate, "an old pod ends before the new one is ready", "internal/rollout/workload.go",
		`MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromInt32(1))`,
		`MaxUnavailable: ptr.To(intstr.FromInt32(1)), MaxSurge: ptr.To(intstr.FromInt32(0))`},
	{gate, "an http issuer is admitted", startPolicy, `list.filter(u, u[1].startsWith('http:') && isURL(u[1])`, `list.filter(u, u[1].startsWith('ftp:') && isURL(u[1])`},
	{gate, "a refused ReplicaSet tries again before the next verdict", serverPodsPolicy,
		`object.metadata.?annotations[?'toolhive.stacklok.dev/mcpserver-generation'].orValue('')`, `''`},
	{gate, "a host that starts with localhost is loopback", startPolicy, `!(h in ['localhost', 'localhoſt'])`, `!h.startsWith('localhost')`},
	{gate, "the bound of a lifespan is off by one", startPolicy, `['accessTokenLifespan', '1m', '24h']`, `['accessTokenLifespan', '1m', '24h1ns']`},
	{gate, "a redirect URI with a fragment is admitted", startPolicy, `(?i)^https?:[^#]*#?$`, `(?i)^https?:`},
	{gate, "what was wrong before excuses another mistake", startPolicy,
		`size(variables.problems) == 1 || !(text in variables.problems[1])`, `size(variables.problems) == 1 || size(variables.problems[1]) == 0`},
	{reported, "what was wrong before locks its object", startPolicy,
		`size(variables.problems) == 1 || !(text in variables.problems[1])`, `text != ''`},

	{stale, "children are removed on the word of the cache", applyFile,
		`a.Live.Get(ctx, client.ObjectKeyFromObject(owner), live)`, `a.Client.Get(ctx, client.ObjectKeyFromObject(owner), live)`},
	{stale, "the live owner is read, and not asked", applyFile,
		`if live.GetUID() != owner.GetUID() || !referencesGone(live) {`, `if live.GetUID() != owner.GetUID() {`},
	{stale, "a child is deleted whatever it is by now", applyFile,
		`err := a.Client.Delete(ctx, child, client.Preconditions{UID: &uid, ResourceVersion: &version},`, `_, _ = uid, version
		err := a.Client.Delete(ctx, child,`},
	{stale, "a child is written whatever it is by now", applyFile,
		`client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})`, `client.MergeFrom(live)`},
	{stale, "a status patch is not bound to what was read", patchFile,
		`map[string]any{"metadata": map[string]string{"resourceVersion": version}, "status": change}`, `map[string]any{"status": change}`},
	{stale, "the guard's apply is not bound to what was read", writerSource,
		`patch.SetResourceVersion(object.GetResourceVersion())`, `patch.SetResourceVersion("")`},
	{stale, "the guard removes whatever stands at its entry's place", writerSource,
		`{"op": "test", "path": path + "/type", "value": Type},`, ``},
	{stale, "a consumer that is being deleted rolls out", consumerFile,
		`if object.GetDeletionTimestamp() != nil {`, `if object.GetDeletionTimestamp() != nil && object.GetUID() == "" {`},
	{stale, "a status is left alone while its observedGeneration is current", "internal/controller/write.go",
		`return status.MutateAndPatchStatus(`, `if object.GetStatus().ObservedGeneration == object.GetGeneration() {
		return false, nil
	}
	return status.MutateAndPatchStatus(`},

	{partial, "of the children only the Deployment is removed", applyFile,
		`range []client.Object{&appsv1.Deployment{}, &corev1.Service{}}`, `range []client.Object{&appsv1.Deployment{}, (*corev1.Service)(nil)}[:1]`},
	{partial, "a status that could not be written is not written again", consumerFile,
		`return reconcile.Result{}, errors.Join(rolloutErr, r.write(ctx, object, conditions))`,
		`_ = r.write(ctx, object, conditions)
	return reconcile.Result{}, rolloutErr`},
	{partial, "a rollout that failed is not tried again", consumerFile,
		`	case err != nil:
		return condition.RolloutFailed(err), err`, `	case err != nil:
		return condition.RolloutFailed(err), nil`},
	{partial, "a config's status that could not be written is not written again", configFile,
		`return reconcile.Result{}, r.write(ctx, config, conditions)`, `_ = r.write(ctx, config, conditions)
	return reconcile.Result{}, nil`},
	{partial, "a Service is never repaired", restoreFile,
		`case *corev1.Service:
`, `case *corev1.Service:
		return after
`},
	{partial, "what is no longer wanted in a pod stays", restoreFile,
		`template.Spec = restoredPod(template.Spec, spec.Template.Spec)`, `template.Spec.Containers[0].Image = spec.Template.Spec.Containers[0].Image`},
	{partial, "the guard gives up its entry when ToolHive's operator owns it", writerSource,
		`client.FieldOwner(FieldManager), client.ForceOwnership)`, `client.FieldOwner(FieldManager))`},

	{missed, "consumers do not watch configs", consumerFile,
		`Watches(&v1beta1.MCPExternalAuthConfig{}, r.toConsumers(r.kind, byConfig), builder.WithPredicates(specChanged)).`, ``},
	{missed, "consumers do not watch MCPOIDCConfigs", consumerFile,
		`Watches(&v1beta1.MCPOIDCConfig{}, r.toConsumers(r.kind, byOIDCConfig), builder.WithPredicates(createdOrDeleted)).`, ``},
	{missed, "nobody sees an MCPOIDCConfig go", watchFile,
		`UpdateFunc: func(event.UpdateEvent) bool { return false }`,
		`UpdateFunc: func(event.UpdateEvent) bool { return false }, DeleteFunc: func(event.DeleteEvent) bool { return false }`},
	{missed, "consumers do not watch their Deployments", consumerFile,
		`Watches(&appsv1.Deployment{}, r.toConsumers(r.kind, byChild)).`, `Watches(&appsv1.Deployment{}, r.toConsumers(r.kind, byConfig)).`},
	{missed, "consumers do not watch their Services", consumerFile,
		`Watches(&corev1.Service{}, r.toConsumers(r.kind, byChild)).`, `Watches(&corev1.Service{}, r.toConsumers(r.kind, byConfig)).`},
	{missed, "configs do not watch MCPServers", configFile,
		`Watches(&v1beta1.MCPServer{}, toConfigs(), builder.WithPredicates(specChanged)).`, ``},
	{missed, "configs do not watch those that share a consumer", configFile,
		`Watches(&v1beta1.MCPExternalAuthConfig{}, r.toPeers(), builder.WithPredicates(specChanged)).`, ``},
	{missed, "a consumer does not see its own status change", consumerFile,
		`For(r.kind.Empty()).`, `For(r.kind.Empty(), builder.WithPredicates(specChanged)).`},
	{missed, "only one of two references is indexed", consumerSource,
		`names = append(names, c.ExternalAuthConfigRef)`, `names = append(names, names...)`},
	{missed, "the guard's consumers do not see that a config is edited", guardFile,
		`r.toConsumers(r.kind, byConfig), builder.WithPredicates(specChanged)`, `r.toConsumers(r.kind, byConfig), builder.WithPredicates(createdOrDeleted)`},

	{foreign, "an object of somebody else is taken for a child", applyFile,
		`case !metav1.IsControlledBy(found, owner):`, `case found.GetName() == "":`},
	{foreign, "children of different kinds have the same name", "internal/rollout/names.go",
		`consumer.Kind + "/" + consumer.Name`, `consumer.Name`},

	{gate, "a policy on a VirtualMCPServer ignores the defaults", virtualPolicy,
		`size(list) > 0 ? list : variables.defaults`, `size(list) > 0 ? list : variables.baselines[0]`},

	{reported, "the guard's condition is of the first generation", writerSource,
		`wanted.ObservedGeneration = object.GetGeneration()`, `wanted.ObservedGeneration = 1`},
	{reported, "the guard's condition has a new time at each write", writerSource,
		`old.Status == wanted.Status`, `old.Status != wanted.Status`},
	{partial, "a leader that stops keeps its lease", "internal/operator/operator.go",
		`LeaderElectionReleaseOnCancel: true`, `LeaderElectionReleaseOnCancel: false`},

	{reported, "the linter does not read --default-scopes", pairsFile, `if len(defaults) > 0 {`, `if len(defaults) > 1000 {`},
	{reported, "of two objects with one name the linter takes the first", pairsFile,
		`in.members[m.id.key()] = m
`, `if in.members[m.id.key()] == nil {
			in.members[m.id.key()] = m
		}
`},
	{reported, "the linter reports a baseline twice", pairsFile, `if holder.rejected {`, `if holder == nil {`},
	{reported, "the linter looks for a config in no namespace", pairsFile, `Namespace: m.id.Namespace, Name: name`, `Name: name`},
	{reported, "the linter runs the rules on what the schema refuses", validateFile,
		`return slices.Contains(blocking, v.Type)`, `return v.Type == ""`},
	{reported, "the linter takes an update for a creation", validateFile, `	if old == nil {`, `	if old == nil || len(old) > 0 {`},

	{reported, "the tree shows a condition that is out of date as current", treeFile,
		`condition.ObservedGeneration < generation`, `condition.ObservedGeneration > generation`},
	{reported, "the tree takes an old Ready for the state of the rollout", stateFile,
		`case ready.ObservedGeneration < consumer.Generation:`, `case ready.ObservedGeneration == 0:`},

	{reported, "Ready before the Deployment is observed", "internal/condition/progress.go",
		`case status.ObservedGeneration < deployment.Generation:`, `case deployment.Generation == 0:`},
	{reported, "stalled is what waits for a config that may yet appear", checkFile,
		`Stalled: verdict.Cause != v1alpha1.ReasonConfigNotFound`, `Stalled: true`},
	{reported, "a condition that no longer holds stays", "internal/status/conditions.go",
		`return !slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Type == old.Type })`, `return old.Type == ""`},

	{gate, "a policy admits a consumer that changes its reference", consumersPolicy,
		`!variables.consumes[1] || `, ``},
	{gate, "externalAuthConfigRef counts before authServerRef", serverPolicy,
		`params.?spec.?authServerRef.?name.orValue(params.?spec.?externalAuthConfigRef.?name.orValue(''))`,
		`params.?spec.?externalAuthConfigRef.?name.orValue(params.?spec.?authServerRef.?name.orValue(''))`},
	{gate, "a policy admits every update of a config", proxyPolicy,
		`(oldObject == null || !(scope in variables.baselines[1]))`, `oldObject == null`},
	{gate, "a policy admits a VirtualMCPServer whose scopes change", virtualPolicy,
		`scope in variables.effective[1])`, `true)`},
	{gate, "a policy skips every edit of a spec", consumersPolicy,
		`object.?spec != oldObject.?spec`, `object.?spec == oldObject.?spec`},
	{gate, "a pod is created although the condition is False", serverPodsPolicy, `c.status == 'False'`, `c.status == 'Unknown'`},
	{gate, "the pods of a VirtualMCPServer are not seen", virtualPodsPolicy,
		`app.kubernetes.io/name: virtualmcpserver`, `app.kubernetes.io/name: vmcp`},
	{gate, "pods are refused in mode strict alone", proxyPodsPolicy, `values: [enforce, strict]`, `values: [strict]`},
	{gate, "mode enforce admits a VirtualMCPServer", virtualPolicy, `operator: In, values: [enforce, strict]`, `operator: In, values: [strict]`},
	{gate, "the mode of the installation is that of the other namespaces", guardSource, `if selected(mode) {`, `if !selected(mode) {`},
	{reported, "a pod is refused by the condition of another generation", proxyPodsPolicy,
		`c.?observedGeneration.orValue(0) == params.metadata.generation`, `c.?observedGeneration.orValue(0) <= params.metadata.generation`},
	{reported, "a pod is refused by the condition of another consumer", serverPodsPolicy,
		`!= params.metadata.name ? [] :`, `== '' ? [] :`},
	{reported, "a warning has no annotation in the audit log", serverPolicy, `[Warn, Audit]`, `[Warn]`},
	{reported, "a policy rejects a config for an MCPServer that runs no auth server", serverPolicy,
		` && params.?spec.?oidcConfigRef.hasValue()`, ``},
	{reported, "a policy rejects a consumer that runs no auth server", consumersPolicy,
		`o.?spec.?oidcConfigRef.hasValue() && `, ``},
	{reported, "a consumer that is being deleted counts", serverPolicy,
		`!has(params.metadata.deletionTimestamp)`, `true`},

	{foreign, "the guard writes over a condition of somebody else's", writerSource, `if Foreign(old) {`, `if old == nil && Foreign(old) {`},
	{foreign, "the guard writes as often as somebody else", writerSource,
		`!limiter.(*rate.Limiter).Allow()`, `!limiter.(*rate.Limiter).Allow() && burst == 0`},
	{foreign, "the cleanup removes a condition of somebody else's", "internal/guard/cleanup/cleanup.go",
		`found == nil || writer.Foreign(found)`, `found == nil`},
	{partial, "the canary's config keeps ToolHive's finalizer", "internal/guard/canary/remove.go",
		`{"metadata":{"finalizers":null}}`, `{"metadata":{}}`},
	{reported, "the event on a foreign condition comes again and again", writerSource, `!reported {`, `!reported || reported {`},
	{reported, "counts of False do not tell the namespace", "internal/metrics/collector.go",
		`v.namespace = object.GetNamespace()`, `v.namespace = ""`},
	{reported, "whoever writes the condition makes series", "internal/metrics/collector.go", `v.reason = "Other"`, `v.reason = valid.Reason`},
	{reported, "what the API server defaults is taken for a change", compareSource, `match.ObjectSelector = cmp.Or(match.ObjectSelector, &metav1.LabelSelector{})`, ``},
	{reported, "a policy that is changed is taken for one of another release", compareSource, `release != "" && release != own`, `release != own`},
	{reported, "a refusal by anybody is taken for one by the policy", trySource, `case refused(err) && strings.Contains(err.Error(), mark):`, `case refused(err):`},
	{reported, "a check that failed counts as complete", checkerSource, `if complete {`, `if complete || len(found) > 0 {`},
	{reported, "failures are never forgotten", checkerSource, `c.failures[policy] = 0`, `c.failures[policy] += 0`},
	{reported, "guard check takes any label for a mode", inventorySource,
		`slices.Contains(guard.Modes, set[guard.ModeLabel])`, `set[guard.ModeLabel] != ""`},
	{reported, "guard check takes enforce for strict", inventorySource,
		`case denies[guard.ConsumersPolicy]:`, `case denies[guard.VirtualMCPServersPolicy] || denies[guard.ConsumersPolicy]:`},
	{reported, "the tree takes a refused pod for a failure", stateFile, `pair.Verdict.State == resolve.NotSupported)`, `pair.Verdict.State != resolve.NotSupported)`},
}
