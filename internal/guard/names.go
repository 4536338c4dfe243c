package guard

// HeldLabel is set, to "true", on a ConfigMap whose last good run config the
// lock keeps, against a bad one that ToolHive's operator would write.
const HeldLabel = "scopegate.dev/held"
