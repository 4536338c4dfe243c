// Package rollout is the gate of standalone mode. It rolls out the auth server of
// a pair only if the verdict is Supported and the config is complete.
//
//	resolve.Pair -> Check -> Checked -> Apply (Deployment, Service)
//	                      -> Hold (nothing changes)
//
// Only Check creates a Checked, and only a Checked can be applied, so a rollout
// always uses what was validated, even if the cache lags. The run config is in
// the pod template: a held rollout changes nothing, a pod that restarts finds its
// own run config, and every ReplicaSet has its own.
package rollout
