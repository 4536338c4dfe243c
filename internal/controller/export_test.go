package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard/condition"
	"github.com/scopegate/scopegate/internal/status"
)

// Write is the end of every reconcile.
type Write func(ctx context.Context, object status.Object, conditions []metav1.Condition) error

// WholeWrite is that of whole mode.
func WholeWrite(c client.Client, recorder events.EventRecorder) Write {
	return writer{keeper: wholeStatus{c}, recorder: recorder}.write
}

// GuardWrite is that of guard mode.
func GuardWrite(c client.Client, recorder events.EventRecorder) Write {
	return writer{keeper: &condition.Keeper{Client: c, Rivals: &condition.Rivals{}}, recorder: recorder}.write
}
