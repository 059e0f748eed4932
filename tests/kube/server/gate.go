package main

// What KubeVirt's webhooks do when a migration is made or changed, as an admission plugin in process: virt-api's
// migration-create-mutator.go, migration-create-admitter.go and migration-update-admitter.go of August 2026.

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/dynamic"
)

var (
	migrations = schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: "virtualmachineinstancemigrations"}
	instances  = schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: "virtualmachineinstances"}
)

const (
	selectorLabel = "kubevirt.io/vmi-name"
	finalizer     = "kubevirt.io/migrationJobFinalize"
	onCreate      = "migration-create-validator.kubevirt.io"
	onUpdate      = "migration-update-validator.kubevirt.io"
)

type gate struct{ client dynamic.Interface }

func (gate) Handles(op admission.Operation) bool {
	return op == admission.Create || op == admission.Update
}

func migrationOf(a admission.Attributes) (*unstructured.Unstructured, bool) {
	if a.GetResource().GroupResource() != migrations.GroupResource() || a.GetSubresource() != "" {
		return nil, false
	}
	migration, ok := a.GetObject().(*unstructured.Unstructured)
	return migration, ok
}

func (gate) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	migration, ours := migrationOf(a)
	if !ours || a.GetOperation() != admission.Create {
		return nil
	}
	labels := migration.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[selectorLabel] = vmiName(migration)
	migration.SetLabels(labels)
	migration.SetFinalizers(append(migration.GetFinalizers(), finalizer))
	return nil
}

func (g gate) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	migration, ours := migrationOf(a)
	if !ours {
		return nil
	}
	if a.GetOperation() == admission.Update {
		return changed(migration, a.GetOldObject().(*unstructured.Unstructured))
	}
	name := vmiName(migration)
	if name == "" {
		return refused(onCreate, http.StatusUnprocessableEntity, "vmiName is missing")
	}
	if _, found, _ := unstructured.NestedString(migration.Object, "spec", "priority"); found && !isController(a) {
		return refused(onCreate, http.StatusUnprocessableEntity, "Migration priority queue, only virt-controller is allowed to set priority field")
	}
	vmi, err := g.client.Resource(instances).Namespace(a.GetNamespace()).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return refused(onCreate, http.StatusBadRequest, fmt.Sprintf("the VMI \"%s/%s\" does not exist", a.GetNamespace(), name))
	case err != nil:
		return refused(onCreate, http.StatusBadRequest, err.Error())
	}
	if phase := phaseOf(vmi); phase == "Succeeded" || phase == "Failed" {
		return refused(onCreate, http.StatusBadRequest, "Cannot migrate VMI in finalized state.")
	}
	conditions, _, _ := unstructured.NestedSlice(vmi.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]interface{}); ok && c["type"] == "LiveMigratable" && c["status"] == "False" {
			return refused(onCreate, http.StatusBadRequest, fmt.Sprintf("Cannot migrate VMI, Reason: %v, Message: %v", c["reason"], c["message"]))
		}
	}
	all, err := g.client.Resource(migrations).Namespace(a.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selectorLabel + "=" + name})
	if err != nil {
		return refused(onCreate, http.StatusBadRequest, err.Error())
	}
	for _, other := range all.Items {
		if phase := phaseOf(&other); phase != "Succeeded" && phase != "Failed" {
			return refused(onCreate, http.StatusBadRequest, fmt.Sprintf("in-flight migration detected. Active migration job (%s) is currently already in progress for VMI %s.", other.GetUID(), name))
		}
	}
	return nil
}

func changed(migration, old *unstructured.Unstructured) error {
	if !equality.Semantic.DeepEqual(migration.Object["spec"], old.Object["spec"]) {
		return refused(onUpdate, http.StatusUnprocessableEntity, "update of Migration object's spec is restricted")
	}
	before, had := old.GetLabels()[selectorLabel]
	now, has := migration.GetLabels()[selectorLabel]
	unfinished := !slices.Contains([]string{"Succeeded", "Failed"}, phaseOf(migration))
	switch {
	case !unfinished || !had || now == before:
		return nil
	case !has && len(migration.GetLabels()) == 0:
		return refused(onUpdate, http.StatusUnprocessableEntity, "selector label can't be removed from an in-flight migration")
	}
	return refused(onUpdate, http.StatusUnprocessableEntity, "selector label can't be modified on an in-flight migration")
}

func isController(a admission.Attributes) bool {
	who := a.GetUserInfo().GetName()
	return strings.HasPrefix(who, "system:serviceaccount:kubevirt:") && strings.HasSuffix(who, "kubevirt-controller")
}

func vmiName(migration *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(migration.Object, "spec", "vmiName")
	return name
}

func phaseOf(object *unstructured.Unstructured) string {
	phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	return phase
}

func refused(webhook string, code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code,
		Message: fmt.Sprintf("admission webhook %q denied the request: %s", webhook, message)}}
}
