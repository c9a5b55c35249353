//! Which values are secret, where they are kept, and how they change.

use plimsoll_model::facts::NeedKind;

use super::guide::{Guide, fence};
use super::row;
use crate::kubernetes::secrets::{SecretObject, secrets};
use crate::{SecretSource, Workload};

/// The page; `None` where nothing is secret.
pub(super) fn page(guide: &Guide<'_>) -> Option<String> {
    let objects = secrets(guide.input, &guide.all);
    if objects.is_empty() && guide.required.is_empty() {
        return None;
    }
    let mut page = String::from(
        "# Secrets\n\nNo value of one stands in an image, in a rendered file or in a log: files name them, and what is below gives them.\n",
    );
    let secret: Vec<&Workload<'_>> = guide
        .all
        .iter()
        .filter(|one| !one.secret_variables.is_empty())
        .collect();
    if !secret.is_empty() {
        page.push_str(&format!(
            "\n{}|---|---|\n",
            row(&["service", "secret variables"])
        ));
        for one in secret {
            let names: Vec<String> = one
                .secret_variables
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            page.push_str(&row(&[&format!("`{}`", one.name()), &names.join(", ")]));
        }
    }
    page.push_str(&format!(
        "\n## On one host\n\nIn `.env` beside `{}`, which only its owner reads and which is not committed. Stores get theirs as files below \
         `/run/secrets`, which Docker Compose makes from it.\n\n{}",
        guide.base,
        fence(&["touch .env && chmod 600 .env"])
    ));
    page.push_str(&in_clusters(guide, &objects));
    page.push_str(&rotation(guide, &objects));
    page.push_str(
        "\n## When one has leaked\n\nEnd it where it was given (the provider's console, the store's user) before anything else, then change it as above, \
         and look through the logs of who used it since.\n",
    );
    Some(page)
}

fn in_clusters(guide: &Guide<'_>, objects: &[SecretObject]) -> String {
    if objects.is_empty() {
        return String::new();
    }
    let name = guide.input.namespace();
    let kept = match guide.input.cluster.secrets {
        SecretSource::External => format!(
            "In `staging` and `prod` the External Secrets operator reads them from a store outside of the cluster, once an hour: Vault, \
             AWS Secrets Manager, Google Secret Manager, Azure Key Vault and others. The store is the ClusterSecretStore `{name}`; each \
             value is a property of `{name}/STAGE/SECRET`"
        ),
        SecretSource::Sealed => {
            "In `staging` and `prod` they are Sealed Secrets: `kubeseal` encrypts them for the cluster alone".to_owned()
        }
        SecretSource::Sops => {
            "In `staging` and `prod` SOPS decrypts them when they are applied".to_owned()
        }
        SecretSource::Plain => {
            "In `staging` and `prod` somebody makes them by hand before anything starts".to_owned()
        }
    };
    let mut page = format!("\n## In a cluster\n\n{kept}:\n\n");
    page.push_str(&row(&["secret", "keys"]));
    page.push_str("|---|---|\n");
    for object in objects {
        let keys: Vec<String> = object.keys.iter().map(|key| format!("`{key}`")).collect();
        page.push_str(&row(&[&format!("`{}`", object.name), &keys.join(", ")]));
    }
    page
}

fn rotation(guide: &Guide<'_>, objects: &[SecretObject]) -> String {
    let prod = guide.command(&["prod"]);
    let mut page = String::from(
        "\n## Changing one\n\nA key of a provider: make a second one, put it in the place of the first, and end the first once nothing uses it. On one host, after `.env` has the new value:\n\n",
    );
    page.push_str(&fence(&[format!("{prod} up --detach --wait")]));
    page.push_str("\nCompose makes those containers anew whose values changed.\n");
    if let Some(store) = guide
        .stores()
        .find(|one| one.store.and_then(|store| store.kind) == Some(NeedKind::Postgres))
    {
        page.push_str(&format!(
            "\nThe password of `{0}` is the store's as well, which keeps that of its first start. Tell the store first; it asks for the new one twice. Then change `.env`, and start again as above:\n\n{1}",
            store.name(),
            fence(&[format!(
                "{prod} exec {} sh -c 'psql --username \"${{POSTGRES_USER:-postgres}}\" --dbname \"${{POSTGRES_DB:-postgres}}\" --command \"\\password\"'",
                store.name()
            )])
        ));
    }
    if let Some(first) = objects
        .first()
        .filter(|_| guide.input.cluster.secrets == SecretSource::External)
    {
        let name = guide.input.namespace();
        page.push_str(&format!(
            "\nIn a cluster, change it in the store outside; the operator takes it within the hour, or at once, and pods take it when they start:\n\n{}",
            fence(&[
                format!(
                    "kubectl --namespace {name} annotate externalsecrets {} force-sync=\"$(date +%s)\" --overwrite",
                    first.name
                ),
                format!("kubectl --namespace {name} rollout restart deployments"),
            ])
        ));
    }
    page
}
