// Package rollout is the gate of standalone mode: it rolls out the auth server of a
// pair whose verdict is Supported and that is complete, and of no other.
//
//	resolve.Pair -> Check -> Checked -> Apply (Deployment, Service)
//	                      -> Hold (nothing is touched)
//
// Only Check makes a Checked, and only a Checked can be applied, so that what
// was validated is what is rolled, whatever the caches held. The run config
// travels in the pod template: a held rollout changes nothing at all, a pod that
// restarts finds its own config, and every ReplicaSet carries its own.
package rollout
