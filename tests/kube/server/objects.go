package main

// Objects that Kubernetes has built in (pods, nodes, namespaces, events, config maps, secrets, and RBAC's), with its own
// types, storage, watch and OpenAPI. Their versioned types are the hub that the machinery converts to and from.

import (
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage"
	openapicommon "k8s.io/kube-openapi/pkg/common"
)

var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme)
)

type kind struct {
	version            schema.GroupVersion
	resource, singular string
	namespaced         bool
	one, list          runtime.Object
	// status copies the status of the second into the first; nil: no status subresource.
	status func(into, from runtime.Object)
}

var (
	core = corev1.SchemeGroupVersion
	rbac = rbacv1.SchemeGroupVersion
)

var kinds = []kind{
	{core, "pods", "pod", true, &corev1.Pod{}, &corev1.PodList{}, func(i, f runtime.Object) { i.(*corev1.Pod).Status = f.(*corev1.Pod).Status }},
	{core, "nodes", "node", false, &corev1.Node{}, &corev1.NodeList{}, func(i, f runtime.Object) { i.(*corev1.Node).Status = f.(*corev1.Node).Status }},
	{core, "namespaces", "namespace", false, &corev1.Namespace{}, &corev1.NamespaceList{}, func(i, f runtime.Object) { i.(*corev1.Namespace).Status = f.(*corev1.Namespace).Status }},
	{core, "events", "event", true, &corev1.Event{}, &corev1.EventList{}, nil},
	{core, "configmaps", "configmap", true, &corev1.ConfigMap{}, &corev1.ConfigMapList{}, nil},
	{core, "secrets", "secret", true, &corev1.Secret{}, &corev1.SecretList{}, nil},
	{rbac, "roles", "role", true, &rbacv1.Role{}, &rbacv1.RoleList{}, nil},
	{rbac, "rolebindings", "rolebinding", true, &rbacv1.RoleBinding{}, &rbacv1.RoleBindingList{}, nil},
	{rbac, "clusterroles", "clusterrole", false, &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleList{}, nil},
	{rbac, "clusterrolebindings", "clusterrolebinding", false, &rbacv1.ClusterRoleBinding{}, &rbacv1.ClusterRoleBindingList{}, nil},
}

// ourGroups are those that are listed at /apis; core is at /api.
func ourGroups() []schema.GroupVersion {
	return []schema.GroupVersion{rbac, authorizationv1.SchemeGroupVersion}
}

func init() {
	utilruntime.Must(metainternalversion.AddToScheme(scheme))
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(rbacv1.AddToScheme(scheme))
	utilruntime.Must(authorizationv1.AddToScheme(scheme))
	for _, version := range append(ourGroups(), core) {
		metav1.AddToGroupVersion(scheme, version)
		utilruntime.Must(scheme.SetVersionPriority(version))
	}
	for _, k := range kinds {
		scheme.AddKnownTypes(schema.GroupVersion{Group: k.version.Group, Version: runtime.APIVersionInternal}, k.one, k.list)
		known, _, err := scheme.ObjectKinds(k.one)
		utilruntime.Must(err)
		selectable := func(label, value string) (string, string, error) { return label, value, nil }
		utilruntime.Must(scheme.AddFieldLabelConversionFunc(k.version.WithKind(known[0].Kind), selectable))
	}
	review := &authorizationv1.SelfSubjectAccessReview{}
	scheme.AddKnownTypes(schema.GroupVersion{Group: authorizationv1.GroupName, Version: runtime.APIVersionInternal}, review)
}

func withOurs(base openapicommon.GetOpenAPIDefinitions) openapicommon.GetOpenAPIDefinitions {
	return func(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
		all := GetOpenAPIDefinitions(ref)
		for name, definition := range base(ref) {
			all[name] = definition
		}
		return all
	}
}

func install(server *genericapiserver.GenericAPIServer, etcd genericoptions.EtcdOptions, config *genericapiserver.RecommendedConfig, rights *rights) error {
	storages := map[schema.GroupVersion]map[string]rest.Storage{
		authorizationv1.SchemeGroupVersion: {"selfsubjectaccessreviews": &reviews{rights}},
	}
	for _, k := range kinds {
		settings := etcd.StorageConfig
		settings.Prefix = "/registry/" + k.version.Group
		settings.Codec = codecs.LegacyCodec(k.version)
		getter := etcd.CreateRESTOptionsGetter(&genericoptions.SimpleStorageFactory{StorageConfig: settings}, config.ResourceTransformers)
		store, err := newStore(k, getter)
		if err != nil {
			return fmt.Errorf("%s: %w", k.resource, err)
		}
		if storages[k.version] == nil {
			storages[k.version] = map[string]rest.Storage{}
		}
		storages[k.version][k.resource] = store
		if k.status != nil {
			storages[k.version][k.resource+"/status"] = newStatus(*store, k)
		}
	}
	for version, resources := range storages {
		info := genericapiserver.NewDefaultAPIGroupInfo(version.Group, scheme, runtime.NewParameterCodec(scheme), codecs)
		info.VersionedResourcesStorageMap[version.Version] = resources
		var err error
		if version == core {
			err = server.InstallLegacyAPIGroup(genericapiserver.DefaultLegacyAPIPrefix, &info)
		} else {
			err = server.InstallAPIGroup(&info)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newStore(k kind, getter generic.RESTOptionsGetter) (*genericregistry.Store, error) {
	group := schema.GroupResource{Group: k.version.Group, Resource: k.resource}
	s := newStrategy(k)
	store := &genericregistry.Store{
		NewFunc:                   func() runtime.Object { return k.one.DeepCopyObject() },
		NewListFunc:               func() runtime.Object { return k.list.DeepCopyObject() },
		PredicateFunc:             predicate,
		DefaultQualifiedResource:  group,
		SingularQualifiedResource: schema.GroupResource{Group: k.version.Group, Resource: k.singular},
		CreateStrategy:            s,
		UpdateStrategy:            s,
		DeleteStrategy:            s,
		TableConvertor:            rest.NewDefaultTableConvertor(group),
	}
	if k.resource == "pods" {
		store.DeleteStrategy = podDeletion{s}
	}
	return store, store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: getter, AttrFunc: attributes})
}

// attributes are the fields that a list or watch can select by.
func attributes(obj runtime.Object) (labels.Set, fields.Set, error) {
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return nil, nil, err
	}
	set := fields.Set{"metadata.name": accessor.GetName(), "metadata.namespace": accessor.GetNamespace()}
	switch o := obj.(type) {
	case *corev1.Pod:
		set["spec.nodeName"], set["status.phase"] = o.Spec.NodeName, string(o.Status.Phase)
	case *corev1.Event:
		set["involvedObject.name"], set["involvedObject.kind"] = o.InvolvedObject.Name, o.InvolvedObject.Kind
		set["involvedObject.uid"], set["reason"], set["type"] = string(o.InvolvedObject.UID), o.Reason, o.Type
	}
	return labels.Set(accessor.GetLabels()), set, nil
}

func predicate(label labels.Selector, field fields.Selector) storage.SelectionPredicate {
	return storage.SelectionPredicate{Label: label, Field: field, GetAttrs: attributes}
}
