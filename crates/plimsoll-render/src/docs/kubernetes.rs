//! In a cluster.

use super::guide::{Guide, fence};
use crate::kubernetes::scaling::bounds;

pub(super) fn page(guide: &Guide<'_>) -> String {
    let name = guide.input.namespace();
    let mut page = format!(
        "# Kubernetes\n\nThe manifests are in `kubernetes/` (`plimsoll render kubernetes`): a base, and overlays `dev`, `staging` \
         and `prod`. Everything is in the namespace `{name}`, at the level `restricted` of the Pod Security \
         Standards; what no network of the stack allows is denied.\n\n"
    );
    page.push_str("What would be applied, and what that would change:\n\n");
    page.push_str(&fence(&[
        "kubectl kustomize kubernetes/overlays/prod".to_owned(),
        "kubectl diff -k kubernetes/overlays/prod".to_owned(),
    ]));
    page.push_str(
        "\nImages that are built from source are named by what was published once they were rendered with it (what other \
         tools publish is set by `kustomize edit set image`, or in the values of the chart):\n\n",
    );
    page.push_str(&fence(&[
        "plimsoll push --to REGISTRY --json > images.json".to_owned(),
        "plimsoll render kubernetes --images images.json".to_owned(),
    ]));
    page.push_str("\nIn `dev`, secrets are generated from files that are not committed: copy each `*.env.example` and fill it in. In \
        `staging` and `prod` they come from the cluster's store of secrets (`external-secrets.yaml`).\n\n");
    page.push_str(&fence(&[
        "kubectl apply -k kubernetes/overlays/prod".to_owned()
    ]));
    let deployed: Vec<&str> = guide
        .all
        .iter()
        .filter(|one| one.is_daemon() && one.store.is_none())
        .filter(|one| !one.everywhere && !one.is_awaited_to_end(&guide.all))
        .map(|one| one.name())
        .collect();
    if !deployed.is_empty() {
        page.push_str("\nWait until the release is there:\n\n");
        let lines: Vec<String> = deployed
            .iter()
            .map(|one| {
                format!("kubectl --namespace {name} rollout status deployment/{one} --timeout 5m")
            })
            .collect();
        page.push_str(&fence(&lines));
        page.push_str("\nBack to the release before:\n\n");
        let lines: Vec<String> = deployed
            .iter()
            .map(|one| format!("kubectl --namespace {name} rollout undo deployment/{one}"))
            .collect();
        page.push_str(&fence(&lines));
    }
    page.push_str("\nA look inside, without letting anybody in:\n\n");
    let mut looks = vec![
        format!("kubectl --namespace {name} get pods,services,horizontalpodautoscalers"),
        format!("kubectl --namespace {name} get events --sort-by .lastTimestamp"),
    ];
    if let Some(one) = deployed.first() {
        looks.push(format!(
            "kubectl --namespace {name} logs deployment/{one} --follow"
        ));
    }
    if let Some((one, port)) = guide
        .all
        .iter()
        .find_map(|one| Some((one.name(), one.main().filter(|main| main.http)?.port)))
    {
        looks.push(format!(
            "kubectl --namespace {name} port-forward service/{one} {port}:{port}"
        ));
    }
    page.push_str(&fence(&looks));
    page.push_str(&chart(&name));
    page.push_str(&scaling(guide));
    page.push_str("\n## Encrypted between pods\n\nA service mesh is an option: add the component to an overlay's `kustomization.yaml` (`components: [../../components/mesh-istio]`, or `mesh-linkerd`), or install the chart with `--set mesh=istio`.\n");
    page.push_str(
        "\n## What the cluster must have\n\nThe overlays `staging` and `prod` need the Gateway API with a class of gateways (or render with `--ingress`), cert-manager, the \
         External Secrets operator (or `--secrets sealed`, `--secrets sops`), and the metrics server for autoscaling.\n",
    );
    page
}

/// The same by the chart.
fn chart(name: &str) -> String {
    format!(
        "\n## With Helm\n\nThe chart in `charts/{name}` has the same objects, and values for each environment:\n\n{}\nBack to the revision before:\n\n{}",
        fence(&[
            format!(
                "helm upgrade {name} charts/{name} --install --namespace {name} --create-namespace --values charts/{name}/values-prod.yaml --atomic --timeout 10m"
            ),
            format!("helm test {name} --namespace {name}"),
        ]),
        fence(&[format!("helm rollback {name} --namespace {name} --wait")]),
    )
}

/// Who is scaled, and between which bounds.
fn scaling(guide: &Guide<'_>) -> String {
    let mut page = String::new();
    for one in &guide.all {
        if let Some((least, most)) = bounds(one) {
            page.push_str(&format!("- `{}`: {least} to {most} pods\n", one.name()));
        }
    }
    match page.is_empty() {
        true => page,
        false => format!(
            "\n## Scaling\n\nBy the processor (70 %) and memory (80 %), within 30 seconds of the load; `x-plimsoll.scale` changes it.\n\n{page}"
        ),
    }
}
