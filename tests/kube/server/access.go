package main

// Who is asking, by a file of tokens, and what they may do, by the RBAC objects that this server keeps. Kubernetes' own
// evaluation of RBAC is in no Debian package: this has its rules for verbs, groups, resources and names.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/token/tokenfile"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
)

// authenticate by lines of "token,user,uid,groups"; who has no token of them is not let in.
func authenticate(config *genericapiserver.Config, tokens string) error {
	known, err := tokenfile.NewCSV(tokens)
	if err != nil {
		return err
	}
	config.Authentication.Authenticator = bearertoken.New(known)
	return nil
}

type rights struct{ client kubernetes.Interface }

func (r *rights) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if slices.Contains(a.GetUser().GetGroups(), user.SystemPrivilegedGroup) {
		return authorizer.DecisionAllow, "", nil
	}
	if !a.IsResourceRequest() {
		// Discovery, versions and health are open to everyone who is known, as in clusters.
		return authorizer.DecisionAllow, "", nil
	}
	if a.GetResource() == "selfsubjectaccessreviews" {
		return authorizer.DecisionAllow, "", nil
	}
	rules, err := r.rules(ctx, a.GetUser(), a.GetNamespace())
	if err != nil {
		return authorizer.DecisionDeny, "", err
	}
	for _, rule := range rules {
		if covers(rule, a) {
			return authorizer.DecisionAllow, "", nil
		}
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// rules of all roles that are bound to somebody, everywhere and in a namespace.
func (r *rights) rules(ctx context.Context, who user.Info, namespace string) (rules []rbacv1.PolicyRule, err error) {
	everywhere, err := r.client.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var bound []rbacv1.RoleRef
	for _, binding := range everywhere.Items {
		if means(binding.Subjects, who) {
			bound = append(bound, binding.RoleRef)
		}
	}
	if namespace != "" {
		there, err := r.client.RbacV1().RoleBindings(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, binding := range there.Items {
			if means(binding.Subjects, who) {
				bound = append(bound, binding.RoleRef)
			}
		}
	}
	for _, ref := range bound {
		var found []rbacv1.PolicyRule
		if ref.Kind == "ClusterRole" {
			role, problem := r.client.RbacV1().ClusterRoles().Get(ctx, ref.Name, metav1.GetOptions{})
			found, err = role.Rules, problem
		} else {
			role, problem := r.client.RbacV1().Roles(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
			found, err = role.Rules, problem
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		rules = append(rules, found...)
	}
	return rules, nil
}

func means(subjects []rbacv1.Subject, who user.Info) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case rbacv1.UserKind:
			return s.Name == who.GetName()
		case rbacv1.GroupKind:
			return slices.Contains(who.GetGroups(), s.Name)
		case rbacv1.ServiceAccountKind:
			return who.GetName() == fmt.Sprintf("system:serviceaccount:%s:%s", s.Namespace, s.Name)
		}
		return false
	})
}

func covers(rule rbacv1.PolicyRule, a authorizer.Attributes) bool {
	resource := a.GetResource()
	if a.GetSubresource() != "" {
		resource += "/" + a.GetSubresource()
	}
	named := len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, a.GetName())
	return named && has(rule.Verbs, a.GetVerb()) && has(rule.APIGroups, a.GetAPIGroup()) &&
		slices.ContainsFunc(rule.Resources, func(r string) bool {
			wild, isWild := strings.CutPrefix(r, "*/")
			return r == rbacv1.ResourceAll || r == resource || (isWild && wild == a.GetSubresource())
		})
}

func has(values []string, value string) bool {
	return slices.Contains(values, "*") || slices.Contains(values, value)
}

// reviews answer what the one who asks may do.
type reviews struct{ rights *rights }

func (*reviews) New() runtime.Object     { return &authorizationv1.SelfSubjectAccessReview{} }
func (*reviews) Destroy()                {}
func (*reviews) NamespaceScoped() bool   { return false }
func (*reviews) GetSingularName() string { return "selfsubjectaccessreview" }
func (r *reviews) Create(ctx context.Context, obj runtime.Object, _ rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	review, ok := obj.(*authorizationv1.SelfSubjectAccessReview)
	if !ok || (review.Spec.ResourceAttributes == nil) == (review.Spec.NonResourceAttributes == nil) {
		return nil, apierrors.NewBadRequest("exactly one of resourceAttributes and nonResourceAttributes is needed")
	}
	who, ok := request.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewBadRequest("nobody is asking")
	}
	asked := authorizer.AttributesRecord{User: who}
	if about := review.Spec.ResourceAttributes; about != nil {
		asked.ResourceRequest, asked.Verb, asked.Namespace, asked.Name = true, about.Verb, about.Namespace, about.Name
		asked.APIGroup, asked.APIVersion, asked.Resource, asked.Subresource = about.Group, about.Version, about.Resource, about.Subresource
	} else {
		asked.Verb, asked.Path = review.Spec.NonResourceAttributes.Verb, review.Spec.NonResourceAttributes.Path
	}
	decision, reason, err := r.rights.Authorize(ctx, asked)
	review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: decision == authorizer.DecisionAllow, Denied: decision == authorizer.DecisionDeny, Reason: reason}
	if err != nil {
		review.Status.EvaluationError = err.Error()
	}
	return review, nil
}
