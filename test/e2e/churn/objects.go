package churn

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/status/words"
)

//go:embed objects.yaml
var template string

// objects are the copies of the template, after what they share.
func objects(namespace string, copies int) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	shared, each, _ := strings.Cut(template, "\n# Each copy.\n")
	all = append(all, decode(namespace, shared)...)
	for i := range copies {
		all = append(all, decode(namespace, strings.ReplaceAll(each, "NUMBER", fmt.Sprint(i)))...)
	}
	return all
}

func decode(namespace, text string) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			panic("objects.yaml: " + err.Error())
		}
		object.SetNamespace(namespace)
		objects = append(objects, object)
	}
	return objects
}

// wrong returns the objects whose condition is not what the objects say now.
func wrong(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	configs := &v1beta1.MCPExternalAuthConfigList{}
	if err := c.List(ctx, configs, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	find := func(name string) (*v1beta1.MCPExternalAuthConfig, error) { //nolint:unparam // resolve.Configs.
		for i := range configs.Items {
			if configs.Items[i].Name == name {
				return &configs.Items[i], nil
			}
		}
		return nil, nil
	}
	var wrong []string
	var pairs []resolve.Pair
	judge := func(kind string, object status.Object, want string) {
		found := meta.FindStatusCondition(object.GetStatus().Conditions, condition.Type)
		if found == nil || found.Message != want || found.ObservedGeneration != object.GetGeneration() {
			wrong = append(wrong, fmt.Sprintf("%s/%s has %+v, want the message %q", kind, object.GetName(), found, want))
		}
	}
	for _, list := range []client.ObjectList{&v1beta1.MCPServerList{}, &v1beta1.MCPRemoteProxyList{}, &v1beta1.VirtualMCPServerList{}} {
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		err := meta.EachListItem(list, func(object runtime.Object) error {
			consumer, _ := resolve.Of(object)
			pair, err := resolve.Resolve(consumer, find)
			if err != nil {
				return err
			}
			if want := words.ForConsumer(pair); want != nil {
				judge(consumer.Kind, object.(status.Object), want.Message)
			}
			pairs = append(pairs, pair)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for i := range configs.Items {
		config := &configs.Items[i]
		var own []resolve.Pair
		for _, pair := range pairs {
			if pair.ConfigName == config.Name {
				own = append(own, pair)
			}
		}
		judge(resolve.KindMCPExternalAuthConfig, config, words.ForConfig(config, own).Message)
	}
	return wrong, nil
}
