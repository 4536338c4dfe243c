package rows

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	scopegate "github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/status/words"
	"github.com/scopegate/scopegate/internal/testenv"
)

// phases are what ToolHive's operator says of a workload: its Ready, its phase,
// and what to make of them alone.
var phases = []struct {
	phase   string
	ready   metav1.ConditionStatus
	kstatus status.Status
	health  Health
}{
	{"Ready", metav1.ConditionTrue, status.CurrentStatus, Healthy},
	{"Pending", metav1.ConditionFalse, status.InProgressStatus, Progressing},
	{"Failed", metav1.ConditionFalse, status.InProgressStatus, Degraded},
	{"Degraded", metav1.ConditionFalse, status.InProgressStatus, Degraded},
	{"Stopped", metav1.ConditionFalse, status.InProgressStatus, Suspended},
	{"Terminating", metav1.ConditionFalse, status.InProgressStatus, Progressing},
}

// verdicts are what scopegate's guard says beside it. An empty health leaves the
// word to ToolHive's.
var verdicts = []struct {
	name   string
	edit   func(*situation)
	held   bool
	absent bool
	stale  bool
	health Health
}{
	{name: "supported"},
	{name: "not supported", edit: notSupported, health: Degraded},
	{name: "not supported and held", edit: notSupported, held: true, health: Degraded},
	{name: "not resolved", edit: func(s *situation) {
		s.edit = func(_ *v1alpha1.EmbeddedAuthServerConfig, oidc **v1alpha1.MCPOIDCConfigReference) { *oidc = nil }
	}, health: Healthy},
	{name: "not judged", absent: true},
	{name: "not supported before the last edit", edit: notSupported, stale: true},
}

func notSupported(s *situation) {
	s.edit = func(server *v1alpha1.EmbeddedAuthServerConfig, _ **v1alpha1.MCPOIDCConfigReference) {
		server.BaselineClientScopes = []string{"admin"}
	}
}

// guard returns the rows of guard mode, where ToolHive's operator writes
// everything but the one condition.
func guard() ([]Row, error) {
	const mode = "guard"
	valid := &metav1.Condition{Type: "Valid", Status: metav1.ConditionTrue, Reason: "ValidConfig"}
	rows, err := configs(mode, valid, Healthy)
	if err != nil {
		return nil, err
	}
	refused, err := configRow(mode, "refused by ToolHive", Degraded, func(config *v1beta1.MCPExternalAuthConfig) {
		set(config, &metav1.Condition{Type: "Valid", Status: metav1.ConditionFalse, Reason: "InvalidConfig", Message: "no issuer"}, words.ForConfig(config, nil))
	})
	if err != nil {
		return nil, err
	}
	created, err := configRow(mode, "just created", Progressing, func(*v1beta1.MCPExternalAuthConfig) {})
	if err != nil {
		return nil, err
	}
	rows = append(rows, refused, created)
	for _, kind := range consumerKinds {
		made, err := guardConsumers(mode, kind)
		if err != nil {
			return nil, err
		}
		rows = append(rows, made...)
	}
	return rows, nil
}

func configRow(mode, situation string, health Health, say func(*v1beta1.MCPExternalAuthConfig)) (Row, error) {
	config := testenv.Config(Namespace, "auth", "admin")
	say(config)
	return row(mode, resolve.KindMCPExternalAuthConfig, situation, config, status.CurrentStatus, health)
}

func guardConsumers(mode, kind string) ([]Row, error) {
	var rows []Row
	for _, phase := range phases {
		for _, verdict := range verdicts {
			var s situation
			if verdict.edit != nil {
				verdict.edit(&s)
			}
			object, configs := s.consumer(kind)
			pair, err := pair(object, configs...)
			if err != nil {
				return nil, err
			}
			ours := words.ForConsumer(pair)
			if verdict.held {
				ours.Message = words.Held(ours.Message)
			}
			if verdict.absent {
				ours = nil
			}
			ready := &metav1.Condition{Type: "Ready", Status: phase.ready, Reason: "ToolHive", Message: "by ToolHive"}
			set(object, ready, ours)
			if verdict.stale {
				age(object)
			}
			health := verdict.health
			if health == "" {
				health = phase.health
			}
			made, err := row(mode, kind, fmt.Sprintf("%s, %s", verdict.name, phase.phase), object, phase.kstatus, health)
			if err != nil {
				return nil, err
			}
			if err := unstructured.SetNestedField(made.Object.Object, phase.phase, "status", "phase"); err != nil {
				return nil, err
			}
			rows = append(rows, made)
		}
	}
	return rows, nil
}

// age makes scopegate's condition one of the generation before.
func age(object scopegate.Object) {
	conditions := object.GetStatus().Conditions
	for i := range conditions {
		if conditions[i].Type == v1alpha1.ConditionBaselineScopesValid {
			conditions[i].ObservedGeneration = Generation - 1
		}
	}
}
