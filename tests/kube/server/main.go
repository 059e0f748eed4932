// crdserver: a real Kubernetes API server for tests, out of Debian's own Go packages.
//
// Discovery, OpenAPI, validation against the schemas of CustomResourceDefinitions, pruning, status subresources,
// server-side apply, dry run, watch and storage in etcd are Kubernetes' own code. Objects of core v1 have Kubernetes'
// types but not the validation and defaults of kube-apiserver, which Debian does not package; rights are read from
// RBAC objects by access.go; what KubeVirt's webhooks answer is in gate.go. There is no scheduler, kubelet or garbage
// collector: tests write what those would.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	generatedopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/openapi"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
)

func main() {
	etcd := flag.String("etcd", "", "etcd's address")
	folder := flag.String("folder", ".", "tokens.csv is read from there; apiserver.crt and, once the server listens, port are written there")
	flag.Parse()
	if err := serve(*etcd, *folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(etcd, folder string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port

	o := options.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	r := o.RecommendedOptions
	r.Authentication, r.Authorization, r.CoreAPI, r.Admission = nil, nil, nil, nil
	r.Features.EnablePriorityAndFairness = false
	r.Etcd.StorageConfig.Transport.ServerList = []string{etcd}
	r.SecureServing.Listener = listener
	r.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
	r.SecureServing.BindPort = port
	r.SecureServing.ServerCert.CertDirectory = folder
	if err := o.ServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	if err := o.Complete(); err != nil {
		return err
	}
	// What o.Config() does, but for its use of informers that only a cluster has.
	if err := r.SecureServing.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	generic := genericapiserver.NewRecommendedConfig(apiserver.Codecs)
	if err := o.ServerRunOptions.ApplyTo(&generic.Config); err != nil {
		return err
	}
	if err := r.ApplyTo(generic); err != nil {
		return err
	}
	if err := o.APIEnablement.ApplyTo(&generic.Config, apiserver.DefaultAPIResourceConfigSource(), apiserver.Scheme); err != nil {
		return err
	}
	definitions := openapi.GetOpenAPIDefinitionsWithoutDisabledFeatures(withOurs(generatedopenapi.GetOpenAPIDefinitions))
	namer := openapinamer.NewDefinitionNamer(apiserver.Scheme, scheme)
	generic.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	generic.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)

	objects, err := dynamic.NewForConfig(generic.LoopbackClientConfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(generic.LoopbackClientConfig)
	if err != nil {
		return err
	}
	rights := &rights{client: client}
	if err := authenticate(&generic.Config, filepath.Join(folder, "tokens.csv")); err != nil {
		return err
	}
	generic.Authorization.Authorizer = rights
	namespaces, err := lifecycle.NewLifecycle(nil)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	namespaces.SetExternalKubeInformerFactory(shared)
	namespaces.SetExternalKubeClientSet(client)
	generic.AdmissionControl = admission.NewChainHandler(namespaces, gate{objects})
	generic.AddPostStartHookOrDie("namespaces", func(hook genericapiserver.PostStartHookContext) error {
		shared.Start(hook.Done())
		return nil
	})

	config := &apiserver.Config{
		GenericConfig: generic,
		ExtraConfig: apiserver.ExtraConfig{
			CRDRESTOptionsGetter: options.NewCRDRESTOptionsGetter(*r.Etcd, generic.ResourceTransformers, generic.StorageObjectCountTracker),
			ServiceResolver:      webhook.NewDefaultServiceResolver(),
			AuthResolverWrapper:  func(r webhook.AuthenticationInfoResolver) webhook.AuthenticationInfoResolver { return r },
		},
	}
	server, err := config.Complete().New(genericapiserver.NewEmptyDelegate())
	if err != nil {
		return err
	}
	if err := install(server.GenericAPIServer, *r.Etcd, generic, rights); err != nil {
		return err
	}
	serveGroups(server)
	// Some clients ask with a slash, which kube-apiserver answers too.
	server.GenericAPIServer.Handler.NonGoRestfulMux.Handle("/version/", http.RedirectHandler("/version", http.StatusMovedPermanently))
	// The listener is open: whoever connects now is answered as soon as the server runs.
	if err := os.WriteFile(filepath.Join(folder, "port"), []byte(fmt.Sprint(port)), 0o600); err != nil {
		return err
	}
	return server.GenericAPIServer.PrepareRun().RunWithContext(genericapiserver.SetupSignalContext())
}
