package main

// What may be changed of a built-in object, and by which path: a status only through its subresource.

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type strategy struct {
	runtime.ObjectTyper
	names.NameGenerator
	kind kind
}

func newStrategy(k kind) strategy {
	return strategy{ObjectTyper: scheme, NameGenerator: names.SimpleNameGenerator, kind: k}
}

func (s strategy) NamespaceScoped() bool { return s.kind.namespaced }
func (s strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	if s.kind.status != nil {
		s.kind.status(obj, s.kind.one)
	}
}
func (s strategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	if s.kind.status != nil {
		s.kind.status(obj, old)
	}
}
func (strategy) Validate(context.Context, runtime.Object) field.ErrorList { return nil }
func (strategy) ValidateUpdate(context.Context, runtime.Object, runtime.Object) field.ErrorList {
	return nil
}
func (strategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }
func (strategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}
func (strategy) Canonicalize(runtime.Object)    {}
func (strategy) AllowCreateOnUpdate() bool      { return false }
func (strategy) AllowUnconditionalUpdate() bool { return true }

// podDeletion marks a pod that runs on a node as ending; its kubelet, or who plays it, removes it with a grace of 0.
type podDeletion struct{ strategy }

func (podDeletion) CheckGracefulDelete(_ context.Context, obj runtime.Object, options *metav1.DeleteOptions) bool {
	pod := obj.(*corev1.Pod)
	grace := int64(30)
	if pod.Spec.TerminationGracePeriodSeconds != nil {
		grace = *pod.Spec.TerminationGracePeriodSeconds
	}
	if options.GracePeriodSeconds != nil {
		grace = *options.GracePeriodSeconds
	}
	if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		grace = 0
	}
	options.GracePeriodSeconds = &grace
	return true
}

// onlyStatus keeps all of an object but its status as it was.
type onlyStatus struct{ strategy }

func (s onlyStatus) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	kept := old.DeepCopyObject()
	s.kind.status(kept, obj)
	asked, _ := meta.Accessor(obj)
	accessor, _ := meta.Accessor(kept)
	accessor.SetResourceVersion(asked.GetResourceVersion())
	accessor.SetManagedFields(asked.GetManagedFields())
	switch o := obj.(type) {
	case *corev1.Pod:
		*o = *kept.(*corev1.Pod)
	case *corev1.Node:
		*o = *kept.(*corev1.Node)
	case *corev1.Namespace:
		*o = *kept.(*corev1.Namespace)
	}
}

type statusREST struct{ store *genericregistry.Store }

func newStatus(store genericregistry.Store, k kind) *statusREST {
	store.UpdateStrategy = onlyStatus{newStrategy(k)}
	return &statusREST{&store}
}

func (r *statusREST) New() runtime.Object { return r.store.New() }
func (r *statusREST) Destroy()            {}
func (r *statusREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return r.store.Get(ctx, name, options)
}
func (r *statusREST) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return r.store.Update(ctx, name, info, create, update, false, options)
}
func (r *statusREST) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return map[fieldpath.APIVersion]*fieldpath.Set{"v1": fieldpath.NewSet(fieldpath.MakePathOrDie("spec"))}
}
func (r *statusREST) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return r.store.ConvertToTable(ctx, object, options)
}
