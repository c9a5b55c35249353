// Judges manifests by the API server's own code, as when they are created: strict decoding, defaults,
// validation of each kind, what the server warns of, the Pod Security level `restricted`, and for
// custom resources the schema of their definition with its rules.
//
//	judge [-crd FILE]... PATH...
//
// Exits with 1 when anything is said of an object. `build`, beside this file, makes it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	api "k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/limitrange"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/resourcequota"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

var strategies = map[string]rest.RESTCreateStrategy{
	"Deployment": deployment.Strategy, "StatefulSet": statefulset.Strategy, "DaemonSet": daemonset.Strategy,
	"Job": job.Strategy, "CronJob": cronjob.Strategy, "HorizontalPodAutoscaler": horizontalpodautoscaler.Strategy,
	"ConfigMap": configmap.Strategy, "LimitRange": limitrange.Strategy, "Namespace": namespace.Strategy,
	"PersistentVolume": persistentvolume.Strategy, "PersistentVolumeClaim": persistentvolumeclaim.Strategy,
	"Pod": pod.Strategy, "ResourceQuota": resourcequota.Strategy, "Secret": secret.Strategy,
	"Service": service.Strategy, "ServiceAccount": serviceaccount.Strategy, "Ingress": ingress.Strategy,
	"NetworkPolicy": networkpolicy.Strategy, "PodDisruptionBudget": poddisruptionbudget.Strategy,
}

type definition struct {
	structural *structural.Structural
	validator  validation.SchemaValidator
	cel        *cel.Validator
	scope      apiextensionsv1.ResourceScope
}

var definitions = map[schema.GroupVersionKind]definition{}

func define(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return each(data, func(raw []byte) error {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := utilyaml.Unmarshal(raw, &crd); err != nil || crd.Kind != "CustomResourceDefinition" {
			return nil
		}
		for _, version := range crd.Spec.Versions {
			var internal apiextensions.CustomResourceValidation
			if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(version.Schema, &internal, nil); err != nil {
				return err
			}
			s, err := structural.NewStructural(internal.OpenAPIV3Schema)
			if err != nil {
				return err
			}
			v, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
			if err != nil {
				return err
			}
			definitions[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] =
				definition{s, v, cel.NewValidator(s, true, celconfig.PerCallLimit), crd.Spec.Scope}
		}
		return nil
	})
}

func each(data []byte, do func([]byte) error) error {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		raw, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		if err := do(raw); err != nil {
			return err
		}
	}
}

func judge(raw []byte) (string, []string) {
	var object map[string]any
	if err := utilyaml.Unmarshal(raw, &object); err != nil {
		return "?", []string{err.Error()}
	}
	if object == nil {
		return "", nil
	}
	u := unstructured.Unstructured{Object: object}
	gvk := u.GroupVersionKind()
	name := gvk.Kind + "/" + u.GetName()
	if strings.HasPrefix(gvk.Group, "kustomize.config") {
		return "", nil
	}
	var wrong []string
	if d, known := definitions[gvk]; known {
		unknown := pruning.PruneWithOptions(object, d.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
		for _, path := range unknown {
			wrong = append(wrong, "unknown field "+path)
		}
		defaulting.Default(object, d.structural)
		for _, err := range validation.ValidateCustomResource(field.NewPath(""), object, d.validator) {
			wrong = append(wrong, err.Error())
		}
		if d.cel != nil {
			errs, _ := d.cel.Validate(context.Background(), nil, d.structural, object, nil, celconfig.RuntimeCELCostBudget)
			for _, err := range errs {
				wrong = append(wrong, err.Error())
			}
		}
		return name, wrong
	}
	if !legacyscheme.Scheme.Recognizes(gvk) {
		return name, []string{"no such kind " + gvk.String()}
	}
	strategy, known := strategies[gvk.Kind]
	if !known {
		return name, []string{"no strategy"}
	}
	codecs := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)
	versioned, _, err := codecs.UniversalDeserializer().Decode(raw, nil, nil)
	if err != nil {
		return name, []string{err.Error()}
	}
	legacyscheme.Scheme.Default(versioned)
	if meta, template := podOf(versioned); template != nil {
		evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
		if err != nil {
			return name, []string{err.Error()}
		}
		results := evaluator.EvaluatePod(psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}, meta, template)
		if all := policy.AggregateCheckResults(results); !all.Allowed {
			wrong = append(wrong, "pod security: "+all.ForbiddenDetail())
		}
	}
	internal, err := legacyscheme.Scheme.UnsafeConvertToVersion(versioned, schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return name, append(wrong, err.Error())
	}
	if one, ok := internal.(*api.Service); ok {
		// What the server fills in itself: the list from the field that older clients set, and a port.
		if one.Spec.ClusterIP != "" {
			one.Spec.ClusterIPs = []string{one.Spec.ClusterIP}
		}
		if one.Spec.ExternalTrafficPolicy == api.ServiceExternalTrafficPolicyLocal {
			one.Spec.HealthCheckNodePort = 30000
		}
	}
	ctx := genericapirequest.WithNamespace(genericapirequest.NewContext(), metav1.NamespaceNone)
	if strategy.NamespaceScoped() {
		namespace := u.GetNamespace()
		if namespace == "" {
			namespace = "default"
			if accessor, ok := internal.(metav1.Object); ok {
				accessor.SetNamespace(namespace)
			}
		}
		ctx = genericapirequest.WithNamespace(ctx, namespace)
	}
	ctx = genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{APIGroup: gvk.Group, APIVersion: gvk.Version, Resource: strings.ToLower(gvk.Kind) + "s", Verb: "create"})
	if accessor, ok := internal.(metav1.Object); ok {
		rest.FillObjectMetaSystemFields(accessor)
	}
	if err := rest.BeforeCreate(strategy, ctx, internal); err != nil {
		wrong = append(wrong, err.Error())
	}
	for _, warning := range strategy.WarningsOnCreate(ctx, internal) {
		wrong = append(wrong, "warning: "+warning)
	}
	return name, wrong
}

func podOf(object runtime.Object) (*metav1.ObjectMeta, *corev1.PodSpec) {
	data, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, nil
	}
	for _, path := range [][]string{{"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
		found, ok, _ := unstructured.NestedMap(data, path...)
		if !ok {
			continue
		}
		var template corev1.PodTemplateSpec
		if runtime.DefaultUnstructuredConverter.FromUnstructured(found, &template) == nil && len(template.Spec.Containers) > 0 {
			return &template.ObjectMeta, &template.Spec
		}
	}
	return nil, nil
}

func main() {
	flag.Func("crd", "a file of definitions of custom resources", define)
	flag.Parse()
	judged, refused := 0, 0
	for _, root := range flag.Args() {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !(strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return each(data, func(raw []byte) error {
				name, wrong := judge(raw)
				if name == "" {
					return nil
				}
				judged++
				if len(wrong) > 0 {
					refused++
				}
				for _, one := range wrong {
					fmt.Printf("%s: %s: %s\n", path, name, one)
				}
				return nil
			})
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	fmt.Printf("%d objects, %d with something said of them\n", judged, refused)
	if refused > 0 {
		os.Exit(1)
	}
}
