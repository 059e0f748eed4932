package main

// The list of API groups at /apis, which kube-apiserver's aggregator serves in a cluster and clients start from.

import (
	"net/http"

	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
	"k8s.io/apiserver/pkg/endpoints/handlers/negotiation"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
)

func serveGroups(server *apiserver.CustomResourceDefinitions) {
	lister := server.Informers.Apiextensions().V1().CustomResourceDefinitions().Lister()
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		definitions, err := lister.List(labels.Everything())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		list := &groupList{}
		list.add("apiextensions.k8s.io", "v1")
		for _, version := range ourGroups() {
			list.add(version.Group, version.Version)
		}
		for _, definition := range definitions {
			for _, version := range served(definition) {
				list.add(definition.Spec.Group, version)
			}
		}
		responsewriters.WriteObjectNegotiated(apiserver.Codecs, negotiation.DefaultEndpointRestrictions, schema.GroupVersion{}, w, r, http.StatusOK, &list.APIGroupList, false)
	})
	manager := server.GenericAPIServer.AggregatedDiscoveryGroupManager
	wrapped := aggregated.WrapAggregatedDiscoveryToHandler(plain, manager, manager)
	server.GenericAPIServer.Handler.GoRestfulContainer.Add(wrapped.GenerateWebService("/apis", metav1.APIGroupList{}))
}

type groupList struct{ metav1.APIGroupList }

// add a version of a group; the first of a group is the preferred one.
func (l *groupList) add(group, version string) {
	found := metav1.GroupVersionForDiscovery{GroupVersion: group + "/" + version, Version: version}
	for i := range l.Groups {
		if l.Groups[i].Name != group {
			continue
		}
		for _, known := range l.Groups[i].Versions {
			if known == found {
				return
			}
		}
		l.Groups[i].Versions = append(l.Groups[i].Versions, found)
		return
	}
	l.Groups = append(l.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{found}, PreferredVersion: found})
}

func served(definition *v1.CustomResourceDefinition) (names []string) {
	for _, version := range definition.Spec.Versions {
		if version.Served {
			names = append(names, version.Name)
		}
	}
	return names
}
