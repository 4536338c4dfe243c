package message

// heldPrefix marks the message of a held rollout. Programs should read the label
// of the ConfigMap instead.
const heldPrefix = "held: pods keep running with the last good run config; "

// Held returns the message of a condition whose rollout the guard holds.
func Held(message string) string { return Clip(heldPrefix + message) }
