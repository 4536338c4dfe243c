package message

// heldPrefix says that a rollout is held. The label of the ConfigMap is what programs
// read.
const heldPrefix = "held: what runs goes on with its last good run config; "

// Held returns the message of a condition whose rollout the guard holds.
func Held(message string) string { return Clip(heldPrefix + message) }
