package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
)

// evaluated are the kinds whose conditions the table shows.
var evaluated = []struct {
	kind   string
	object kinds.Object
	list   client.ObjectList
}{
	{"MCPExternalAuthConfig", &v1beta1.MCPExternalAuthConfig{}, &v1beta1.MCPExternalAuthConfigList{}},
	{"MCPServer", &v1beta1.MCPServer{}, &v1beta1.MCPServerList{}},
	{"MCPRemoteProxy", &v1beta1.MCPRemoteProxy{}, &v1beta1.MCPRemoteProxyList{}},
	{"VirtualMCPServer", &v1beta1.VirtualMCPServer{}, &v1beta1.VirtualMCPServerList{}},
}

// row is a line of the table, for one object.
type row struct{ kind, name, ready, valid, reason string }

var heading = row{"KIND", "NAMESPACE/NAME", "READY", "BASELINESCOPESVALID", "REASON"}

// watchTable shows all objects and their changes until ctx is done, and returns
// the cause.
func watchTable(ctx context.Context, cfg *rest.Config, out console) error {
	objects, err := cache.New(cfg, cache.Options{Scheme: operator.Scheme})
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	// A buffer of one is enough: the table always shows the newest state.
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	go func() { _ = objects.Start(ctx) }()
	for _, kind := range evaluated {
		informer, err := objects.GetInformer(ctx, kind.object)
		if err == nil {
			_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
				AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() },
			})
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("watching %s: %w", kind.kind, err)
		}
	}
	show := newView(out)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
		rows, err := readRows(ctx, objects)
		if err != nil {
			return err
		}
		show(rows)
	}
}

// readRows returns a row for each object, sorted by kind and name.
func readRows(ctx context.Context, objects client.Reader) ([]row, error) {
	var rows []row
	for _, kind := range evaluated {
		list := kind.list.DeepCopyObject().(client.ObjectList)
		if err := objects.List(ctx, list); err != nil {
			return nil, fmt.Errorf("listing every %s: %w", kind.kind, err)
		}
		of := []row{}
		_ = meta.EachListItem(list, func(item runtime.Object) error {
			of = append(of, rowOf(kind.kind, item.(kinds.Object)))
			return nil
		})
		slices.SortFunc(of, func(a, b row) int { return cmp.Compare(a.name, b.name) })
		rows = append(rows, of...)
	}
	return rows, nil
}

func rowOf(kind string, object kinds.Object) row {
	made := row{kind: kind, name: object.GetNamespace() + "/" + object.GetName(), ready: "-", valid: "-", reason: "-"}
	conditions := object.GetStatus().Conditions
	if valid := meta.FindStatusCondition(conditions, v1alpha1.ConditionBaselineScopesValid); valid != nil {
		made.valid, made.reason = string(valid.Status), valid.Reason
	}
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		made.ready = string(ready.Status)
		// If the baseline is valid, the reason of Ready matters.
		if made.valid == string(metav1.ConditionTrue) || made.valid == "-" {
			made.reason = ready.Reason
		}
	}
	return made
}

// newView returns the function that shows rows: on a terminal it redraws a table
// in place, elsewhere it prints a line for each change.
func newView(out console) func([]row) {
	if file, ok := out.Writer.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return redraw(out, func() (int, int) {
			width, height, err := term.GetSize(int(file.Fd()))
			if err != nil || width == 0 || height == 0 {
				return 80, 24
			}
			return width, height
		})
	}
	return appendLines(out)
}

// redraw draws a table over the previous one. It cuts off what does not fit,
// since a line that wraps or scrolls away can't be drawn over.
func redraw(out console, size func() (width, height int)) func([]row) {
	drawn := 0
	return func(rows []row) {
		width, height := size()
		lines := layOut(rows)
		if fit := max(height-2, 1); len(lines) > fit {
			lines = append(lines[:fit], fmt.Sprintf("and %d more", len(lines)-fit))
		}
		var text strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&text, "\x1b[%dA", drawn)
		}
		for _, line := range lines {
			text.WriteString("\x1b[2K" + strings.TrimRight(line[:min(len(line), width)], " ") + "\n")
		}
		text.WriteString("\x1b[J")
		drawn = len(lines)
		out.printf("%s", text.String())
	}
}

// appendLines prints a line for each row that was added, changed or deleted.
func appendLines(out console) func([]row) {
	var shown []row
	return func(rows []row) {
		for _, row := range rows {
			if !slices.Contains(shown, row) {
				out.printf("%s %s Ready=%s BaselineScopesValid=%s %s\n", row.kind, row.name, row.ready, row.valid, row.reason)
			}
		}
		for _, old := range shown {
			if !slices.ContainsFunc(rows, func(row row) bool { return row.kind == old.kind && row.name == old.name }) {
				out.printf("%s %s deleted\n", old.kind, old.name)
			}
		}
		shown = rows
	}
}

func layOut(rows []row) []string {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, row := range append([]row{heading}, rows...) {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", row.kind, row.name, row.ready, row.valid, row.reason)
	}
	_ = table.Flush()
	return strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
}
