//go:build e2e

package e2e

import (
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/internal/guard"
)

const startUpManifest = "dist/guard-start-up.yaml"

// refusal is an edit with which an auth server refuses to start.
type refusal struct {
	// pattern of the manifests in which old is replaced by new.
	pattern, old, new string
	// crashes is a workload that runs from it, and log what the auth server says.
	crashes, log string
	// message is what the policy says.
	message string
}

var refusals = []refusal{
	{
		"toolhive/20-auth-config.yaml", "issuer: https://auth.example.com", "issuer: http://auth.example.com",
		"weather", "http scheme is only allowed for localhost", "issuer is http://auth.example.com: use https",
	},
	{
		"toolhive/20-auth-config.yaml", "redirectUri: https://auth.example.com/oauth/callback", "redirectUri: https://auth.example.com/oauth/callback#top",
		"tickets", "absolute URI without a fragment", "redirectUri of upstream provider company is https://auth.example.com/oauth/callback#top: write an absolute",
	},
	{
		"toolhive/50-virtual-mcp-server.yaml", "baselineClientScopes: [openid]", "tokenLifespans: {accessTokenLifespan: 30s}\n    baselineClientScopes: [openid]",
		"office", "access token lifespan must be between", "tokenLifespans.accessTokenLifespan is 30s: set it from 1m to 24h",
	},
}

// withoutStartUp shows what there is without the policy: each edit is accepted, and the
// pod crash-loops.
func withoutStartUp(s *scenario) {
	for _, refusal := range refusals {
		s.goodWorkloads()
		s.applyChanged("", refusal.pattern, refusal.old, refusal.new)
		s.awaitCrashLoop(demo, refusal.crashes)
		s.kubectl(demo, "get", "pods")
		s.kubectl(demo, "get", "mcpexternalauthconfigs,mcpservers,mcpremoteproxies,virtualmcpservers")
		s.wantLog(demo, refusal.crashes, refusal.log)
	}
	s.goodWorkloads()
}

// withStartUp installs the policy: each edit is refused, with what is wrong, and what
// runs stays.
func withStartUp(s *scenario) {
	s.after("delete", "--ignore-not-found", "--filename", startUpManifest)
	s.kubectl("", "apply", "--server-side", "--filename", startUpManifest)
	s.kubectl("", "label", "namespace", demo, guard.ModeLabel+"="+guard.ModeDeny, "--overwrite")
	pods := s.demoPods()
	for _, refusal := range refusals {
		s.await("the edit is refused by dry run", func() error {
			edit := strings.NewReader(s.changed(refusal.pattern, refusal.old, refusal.new))
			if said, err := s.run(ctx, edit, "apply", "--dry-run=server", "--filename", "-"); err == nil {
				return fmt.Errorf("kubectl says %s", said)
			}
			return nil
		})
		said, err := s.try("", s.changed(refusal.pattern, refusal.old, refusal.new), "apply", "--filename", "-")
		if err == nil || !strings.Contains(said, refusal.message) {
			s.Errorf("the edit was not refused as it should be: %s", said)
		}
	}
	s.samePods(pods)
	s.awaitConditions(demo, "Ready", weather, tickets, office)
}
