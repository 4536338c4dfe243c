package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/rest"

	"github.com/scopegate/scopegate/internal/crds"
)

// publishTimeout limits how long the API server may take to publish newly
// installed CRDs.
const publishTimeout = 30 * time.Second

// checkCRDs returns an error if the cluster has the CRDs of the other mode. In
// standalone mode on ToolHive's CRDs, scopegate would fight ToolHive's operator
// over each status. In guard mode on scopegate's own CRDs, there would be no
// operator to guard.
func checkCRDs(ctx context.Context, cfg *rest.Config, standalone bool) error {
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("reaching the API server: %w", err)
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, time.Second, publishTimeout, true, func(context.Context) (bool, error) {
		last = checkSchemas(discoveryClient.OpenAPIV3(), standalone)
		var wrongMode *wrongModeError
		return last == nil || errors.As(last, &wrongMode), nil
	})
	if last != nil {
		return last
	}
	return err
}

// wrongModeError means that the CRDs are those of the other mode.
type wrongModeError struct{ kind, detail, remedy string }

func (e *wrongModeError) Error() string {
	return fmt.Sprintf("the CustomResourceDefinition of %s %s: %s", e.kind, e.detail, e.remedy)
}

func checkSchemas(client openapi.Client, standalone bool) error {
	own, err := crds.Own(client)
	if err != nil {
		return err
	}
	for kind, path := range crds.OwnField {
		switch {
		case own[kind] && !standalone:
			return &wrongModeError{kind, fmt.Sprintf("seems to be scopegate's own (it has %s)", strings.Join(path, ".")),
				"for standalone mode, start with --standalone; if ToolHive's operator runs here, its release is too new for this release of scopegate"}
		case !own[kind] && standalone:
			return &wrongModeError{kind, fmt.Sprintf("is not scopegate's own (it has no %s)", strings.Join(path, ".")),
				"ToolHive's operator runs this cluster, and standalone mode would replace it; start without --standalone"}
		}
	}
	return nil
}
