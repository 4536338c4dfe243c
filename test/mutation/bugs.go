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
	consumerFile = "internal/controller/consumer.go"
	configFile   = "internal/controller/config.go"
	guardFile    = "internal/controller/guard.go"
	watchFile    = "internal/controller/watch.go"
	applyFile    = "internal/rollout/apply.go"
	restoreFile  = "internal/rollout/restore.go"
	checkFile    = "internal/rollout/check.go"
	patchFile    = "internal/status/patch.go"
	entryFile    = "internal/guard/condition/condition.go"
	standFile    = "internal/guard/condition/standdown.go"
	inspectFile  = "internal/guard/check/inspect.go"
	tryFile      = "internal/guard/check/try.go"
	layoutFile   = "internal/toolhive/runconfig.go"
	pairsFile    = "internal/lint/pairs.go"
	validateFile = "internal/lint/validate.go"
	viewFile     = "internal/cluster/guard.go"
	treeFile     = "internal/cluster/tree/build.go"
	stateFile    = "internal/cluster/tree/rollout.go"
	pairPolicy   = "config/guard/policies/scopegate-consumers.yaml"
	ownPolicy    = "config/guard/policies/scopegate-virtualmcpservers.yaml"
	serverPolicy = "config/guard/policies/scopegate-configs-for-mcpservers.yaml"
	proxyPolicy  = "config/guard/policies/scopegate-configs-for-mcpremoteproxies.yaml"
	createPolicy = "config/guard/policies/scopegate-run-configs.yaml"
	startPolicy  = "config/guard/start-up/scopegate-start-up.yaml"
	holdPolicy   = "config/guard/hold/scopegate-run-configs-hold.yaml"
	resolveFile  = "internal/resolve/resolve.go"
	whoFile      = "internal/resolve/consumer.go"
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
	{gate, "an anonymous VirtualMCPServer is taken for one with OIDC", whoFile,
		`if server.Spec.IncomingAuth.Type == v1alpha1.IncomingAuthTypeOIDC {`, `if server.Spec.IncomingAuth.OIDCConfigRef != nil {`},
	{gate, "a missing MCPOIDCConfig holds nothing", checkFile, `if !oidcConfigFound {`, `if !oidcConfigFound && pair.Consumer.OIDC == nil {`},
	{gate, "an old pod ends before the new one is ready", "internal/rollout/workload.go",
		`MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromInt32(1))`,
		`MaxUnavailable: ptr.To(intstr.FromInt32(1)), MaxSurge: ptr.To(intstr.FromInt32(0))`},
	{gate, "an http issuer is admitted", startPolicy, `list.filter(u, u[1].startsWith('http:') && isURL(u[1])`, `list.filter(u, u[1].startsWith('ftp:') && isURL(u[1])`},
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
	{stale, "the guard's apply is not bound to what was read", entryFile,
		`patch.SetResourceVersion(object.GetResourceVersion())`, `patch.SetResourceVersion("")`},
	{stale, "the guard removes whatever stands at its entry's place", entryFile,
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
		return status.RolloutFailed(err), err`, `	case err != nil:
		return status.RolloutFailed(err), nil`},
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
	{partial, "the guard gives up its entry when ToolHive's operator owns it", entryFile,
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
		`For(r.kind.new()).`, `For(r.kind.new(), builder.WithPredicates(specChanged)).`},
	{missed, "only one of two references is indexed", whoFile,
		`names = append(names, c.ExternalAuthConfigRef)`, `names = append(names, names...)`},
	{missed, "the guard's consumers do not see that a config is edited", guardFile,
		`r.toConsumers(r.kind, byConfig), builder.WithPredicates(specChanged)`, `r.toConsumers(r.kind, byConfig), builder.WithPredicates(createdOrDeleted)`},
	{missed, "the guard does not watch what is held", guardFile,
		`WatchesMetadata(&corev1.ConfigMap{}, toOwners(r.kind)).`, `WatchesMetadata(&corev1.ConfigMap{}, toOwners(kind{})).`},

	{foreign, "an object of somebody else is taken for a child", applyFile,
		`case !metav1.IsControlledBy(found, owner):`, `case found.GetName() == "":`},
	{foreign, "the guard takes what it replaced, seen late, for somebody else's", standFile,
		`!past.down && !lags && (foreign`, `!past.down && (lags || !lags) && (foreign`},
	{foreign, "the guard never gives way to another reason", standFile,
		`foreign := found != nil &&`, `foreign := found == nil &&`},
	{foreign, "the guard never gives way to who answers each write", standFile,
		`past.repeats.Tokens() < 1`, `past.repeats.Tokens() < -1`},
	{foreign, "an object that is edited is still left alone", standFile,
		`if past == nil || past.generation != object.GetGeneration() {
		return false`, `if past == nil {
		return false`},
	{foreign, "children of different kinds have the same name", "internal/rollout/names.go",
		`consumer.Kind + "/" + consumer.Name`, `consumer.Name`},

	{gate, "a policy admits a consumer that changes its reference", pairPolicy,
		`variables.consumed[0] == variables.consumed[1] &&`, `true &&`},
	{gate, "a policy on a VirtualMCPServer ignores the defaults", ownPolicy,
		`size(list) > 0 ? list : variables.defaults`, `size(list) > 0 ? list : variables.baselines[0]`},
	{gate, "a policy admits the creation of every run config", createPolicy,
		`"!variables.whole || size(variables.missing[0]) == 0"`, `"variables.whole || size(variables.missing[0]) == 0"`},
	{gate, "the hold keeps a run config that was bad before", holdPolicy,
		` && size(variables.missing[1]) == 0`, ` && size(variables.missing[1]) >= 0`},
	{gate, "the hold keeps the data, and not the checksum", holdPolicy,
		`oldObject.metadata.?annotations.orValue({})`, `object.metadata.?annotations.orValue({})`},
	{reported, "the mark of a hold stays after the repair", holdPolicy,
		`object.metadata.?labels[?'scopegate.dev/held'].hasValue() ?`, `object.metadata.?labels[?'scopegate.dev/held'].hasValue() && false ?`},
	{reported, "a text in another layout is taken for one that the policies read", layoutFile,
		`hasSpace) && inLayout(key, list)`, `hasSpace)`},
	{reported, "the absence of a hold that was never there is reported", inspectFile,
		`c.holdSeen = c.holdSeen || why == ""`, `c.holdSeen = c.holdSeen || why != "-"`},
	{reported, "a policy without a binding is taken for effective", inspectFile,
		`case !bound:`, `case !bound && policy.Name == "":`},

	{gate, "a policy admits every update of a config", proxyPolicy,
		`variables.baselines[0] == variables.baselines[1]"`, `true"`},
	{gate, "a policy admits a VirtualMCPServer whose scopes change", ownPolicy,
		`variables.effective[0] == variables.effective[1]`, `true`},
	{reported, "a policy rejects a config for an MCPServer that runs no auth server", serverPolicy,
		` && params.?spec.?oidcConfigRef.hasValue()`, ``},
	{reported, "a policy rejects a consumer that runs no auth server", pairPolicy,
		`!o.?spec.?oidcConfigRef.hasValue() ? [] :`, `false ? [] :`},
	{reported, "the hold keeps a run config over a text that it can't read", holdPolicy,
		`variables.whole && size(variables.missing[0]) > 0`, `size(variables.missing[0]) > 0`},
	{reported, "a policy whose dry run fails is taken for effective", tryFile,
		`case rejected(err, mark):`, `case rejected(err, mark) || err != nil:`},
	{reported, "the guard's condition is of the first generation", entryFile,
		`wanted.ObservedGeneration = object.GetGeneration()`, `wanted.ObservedGeneration = 1`},
	{reported, "the guard's condition has a new time at each write", entryFile,
		`old.Status == wanted.Status`, `old.Status != wanted.Status`},
	{partial, "a leader that stops keeps its lease", "internal/operator/operator.go",
		`LeaderElectionReleaseOnCancel: true`, `LeaderElectionReleaseOnCancel: false`},
	{stale, "an object that is gone is still remembered", standFile,
		`delete(s.past, key)`, `_ = s.past[key]`},

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

	{reported, "guard check announces a hold of what is bad already", "internal/cluster/check/check.go",
		`held = held && len(server.Missing) == 0 && server.InLayout`, `held = held && server.InLayout`},
	{reported, "guard check takes a namespace that warns for one that denies", viewFile,
		`slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny)`, `len(binding.Spec.ValidationActions) > 0`},
	{reported, "guard check takes a hold that is missing for one that can't be there", viewFile, `"absent"`, `"not-available"`},
	{reported, "the tree shows a condition that is out of date as current", treeFile,
		`condition.ObservedGeneration < generation`, `condition.ObservedGeneration > generation`},
	{reported, "the tree takes an old Ready for the state of the rollout", stateFile,
		`case ready.ObservedGeneration < consumer.Generation:`, `case ready.ObservedGeneration == 0:`},
	{reported, "the tree shows an older run config as rolled out", stateFile,
		`case pair.Verdict.State == resolve.NotSupported:`, `case pair.Verdict.State == resolve.NoAuthServer:`},

	{reported, "Ready before the Deployment is observed", "internal/status/message/progress.go",
		`case status.ObservedGeneration < deployment.Generation:`, `case deployment.Generation == 0:`},
	{reported, "stalled is what waits for a config that may yet appear", checkFile,
		`Stalled: verdict.Cause != v1alpha1.ReasonConfigNotFound`, `Stalled: true`},
	{reported, "a condition that no longer holds stays", "internal/status/conditions.go",
		`return !slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Type == old.Type })`, `return old.Type == ""`},
}
