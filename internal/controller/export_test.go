package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	guardwriter "github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
)

// Write is the last step of every reconcile.
type Write func(ctx context.Context, object kinds.Object, conditions []metav1.Condition) error

// StandaloneWrite returns the Write of standalone mode.
func StandaloneWrite(c client.Client, recorder events.EventRecorder) Write {
	return writer{conditions: statusWriter{c}, recorder: recorder}.write
}

// GuardWrite returns the Write of guard mode.
func GuardWrite(c client.Client, recorder events.EventRecorder) Write {
	return writer{conditions: guardwriter.New(c, nil), recorder: recorder}.write
}
