//! What `helm install` tells.

use crate::kubernetes::routes::is_routed;
use crate::kubernetes::secrets::secrets;
use crate::{Input, Workload};

/// The text.
pub(super) fn notes(input: &Input<'_>, all: &[Workload<'_>]) -> String {
    let name = &*input.namespace();
    let mut text = format!(
        "{name} is in the namespace {{{{ .Release.Namespace }}}}, revision {{{{ .Release.Revision }}}}.\n"
    );
    if all.iter().any(is_routed) {
        text.push_str(&format!(
            "\nIt answers at:\n{{{{- range include \"{name}.hosts\" . | fromJsonArray }}}}\n  https://{{{{ . }}}}\n{{{{- end }}}}\n"
        ));
    }
    text.push_str(
        "\nWhat runs, and whether it answers:\n\n  kubectl get pods --namespace {{ .Release.Namespace }}\n  helm test {{ .Release.Name }} --namespace {{ .Release.Namespace }}\n",
    );
    text.push_str(
        "{{- if not .Values.namespace.create }}\n\nThe namespace is to be at the level `restricted`, which this chart is made for:\n\n  kubectl label namespace {{ .Release.Namespace }} --overwrite pod-security.kubernetes.io/enforce=restricted\n{{- end }}\n",
    );
    let secrets = secrets(input, all);
    if !secrets.is_empty() {
        let list: String = secrets
            .iter()
            .map(|secret| {
                let keys: Vec<&str> = secret.keys.iter().map(String::as_str).collect();
                format!("  {}: {}\n", secret.name, keys.join(", "))
            })
            .collect();
        text.push_str(&format!(
            "\nPods wait for these secrets, with these keys ({{{{ .Values.secrets.source }}}} gives them):\n\n{list}"
        ));
    }
    text.push_str(
        "\nTo go back to the revision before:\n\n  helm rollback {{ .Release.Name }} --namespace {{ .Release.Namespace }} --wait\n",
    );
    text
}
