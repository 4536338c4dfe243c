// Package tree shows configs with their consumers, as a cluster holds them: each
// one's verdict, its effective scopes and where they come from, and the state of
// its rollout. The verdicts are computed anew and not taken from conditions, so
// that it tells the truth where no manager runs.
package tree
