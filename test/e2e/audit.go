package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testenv"
)

// revision is a Deployment or ReplicaSet as one write left it.
type revision struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Template corev1.PodTemplateSpec `json:"template"`
	} `json:"spec"`
}

// showNoneRefused holds that no Deployment or ReplicaSet of a namespace ever had
// a run config that an auth server refuses. It asks the audit log: a watch would
// lose what is written while the API server starts again.
func (s *suite) showNoneRefused(namespace string) {
	var revisions []revision
	s.await("the audit log has each generation of what there is", func() string {
		var err error
		revisions, err = s.revisions(namespace)
		s.must(err)
		return s.missing(namespace, revisions)
	})
	judged := 0
	var refused []string
	for _, revision := range revisions {
		refusal, carries := testenv.Refusal(revision.Spec.Template)
		if carries {
			judged++
		}
		if refusal != "" {
			refused = append(refused, fmt.Sprintf("generation %d of %s: %s", revision.Generation, revision.Name, refusal))
		}
	}
	if judged == 0 || len(refused) > 0 {
		s.fail("of %d run configs that were written, an auth server refuses %d: %v", judged, len(refused), refused)
	}
	s.say("Of %d run configs that were written to Deployments and ReplicaSets, their auth servers refuse none.", judged)
}

// missing is a generation that the audit log has not, of an object that exists.
func (s *suite) missing(namespace string, revisions []revision) string {
	logged := map[types.UID]map[int64]bool{}
	for _, revision := range revisions {
		if logged[revision.UID] == nil {
			logged[revision.UID] = map[int64]bool{}
		}
		logged[revision.UID][revision.Generation] = true
	}
	for _, kind := range []string{"Deployment", "ReplicaSet"} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
		s.must(s.admin.List(s.ctx, list, client.InNamespace(namespace)))
		for _, object := range list.Items {
			for generation := int64(1); generation <= object.GetGeneration(); generation++ {
				if !logged[object.GetUID()][generation] {
					return fmt.Sprintf("it has no generation %d of %s", generation, object.GetName())
				}
			}
		}
	}
	return ""
}

// revisions reads from the audit log what each write has left in a namespace.
func (s *suite) revisions(namespace string) ([]revision, error) {
	log, err := os.Open(s.cluster.AuditLog())
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	var revisions []revision
	for events := json.NewDecoder(log); ; {
		var event auditv1.Event
		switch err := events.Decode(&event); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // A line may be half written.
			return revisions, nil
		case err != nil:
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if !stored(event) || event.ObjectRef.Namespace != namespace {
			continue
		}
		var written revision
		if err := json.Unmarshal(event.ResponseObject.Raw, &written); err != nil {
			return nil, fmt.Errorf("reading an answer in the audit log: %w", err)
		}
		revisions = append(revisions, written)
	}
}

// stored is true for a write that was not refused, and not for show.
func stored(event auditv1.Event) bool {
	if event.ObjectRef == nil || event.ResponseObject == nil || event.ResponseStatus == nil || event.ResponseStatus.Code >= http.StatusBadRequest {
		return false
	}
	request, err := url.Parse(event.RequestURI)
	return err == nil && !request.Query().Has("dryRun")
}
