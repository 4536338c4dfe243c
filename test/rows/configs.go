package rows

import (
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/words"
	"github.com/scopegate/scopegate/internal/testenv"
)

// configs returns the rows of MCPExternalAuthConfig: whatever its consumers come
// to, a shared config fails nobody's deployment. toolhive is ToolHive's condition
// Valid, nil in whole mode.
func configs(mode string, toolhive *metav1.Condition, health Health) ([]Row, error) {
	shared := testenv.Config(Namespace, "auth", "admin")
	good, err := pair(testenv.Server(Namespace, "good", testenv.AuthServerRef("auth", "admin")), shared)
	if err != nil {
		return nil, err
	}
	bad, err := pair(testenv.Server(Namespace, "bad", testenv.AuthServerRef("auth")), shared)
	if err != nil {
		return nil, err
	}
	refs := testenv.AuthServerRef("auth")
	refs.OIDCConfigRef = nil
	unresolved, err := pair(testenv.Server(Namespace, "unresolved", refs), shared)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, tc := range []struct {
		situation string
		config    *v1beta1.MCPExternalAuthConfig
		pairs     []resolve.Pair
	}{
		{"supported by all", testenv.Config(Namespace, "auth", "admin"), []resolve.Pair{good}},
		{"an empty baseline", testenv.Config(Namespace, "auth"), nil},
		{"a bad consumer", testenv.Config(Namespace, "auth", "admin"), []resolve.Pair{good, bad}},
		{"an unresolved consumer", testenv.Config(Namespace, "auth", "admin"), []resolve.Pair{good, unresolved}},
		{"not referenced", testenv.Config(Namespace, "auth", "admin"), nil},
		{"of another type", testenv.OutgoingConfig(Namespace, "auth"), nil},
	} {
		set(tc.config, toolhive, words.ForConfig(tc.config, tc.pairs))
		row, err := row(mode, resolve.KindMCPExternalAuthConfig, tc.situation, tc.config, status.CurrentStatus, health)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}
