//! Homes in clouds, and what they cost.

use super::guide::Guide;
use super::row;
use crate::Role;

/// Kind of home, what it is good for, what it is not, estimate in dollars a month.
const HOMES: &[(&str, &str, &str, &str)] = &[
    (
        "a virtual server with Docker Compose",
        "simple, all in one hand",
        "scaling and upkeep by hand",
        "20–100",
    ),
    (
        "AWS ECS Fargate",
        "no servers, scales by itself",
        "bound to one vendor, much to learn",
        "50–300",
    ),
    (
        "Google Cloud Run",
        "scales to zero, paid by use",
        "keeps no state, starts cold",
        "10–200",
    ),
    (
        "Azure Container Apps",
        "simple, starts fast",
        "fewer settings than a cluster",
        "30–200",
    ),
    (
        "Kubernetes, managed (AKS, EKS, GKE)",
        "portable, for large stacks",
        "complex",
        "200–1000 and more",
    ),
    (
        "Fly.io",
        "close to users, a simple tool",
        "young, fewer regions",
        "25–150",
    ),
    (
        "Railway",
        "from a repository, little to do",
        "little can be chosen",
        "5–100",
    ),
];

/// The home, its files, the command that takes one, and the one that sets a secret.
const FILES: [(&str, &str, &str, &str); 5] = [
    (
        "AWS ECS Fargate",
        "`cloud/ecs/SERVICE.json`",
        "`envsubst < cloud/ecs/SERVICE.json > task.json`, with `AWS_ACCOUNT` and `AWS_REGION`; `aws ecs register-task-definition --cli-input-json file://task.json`",
        "`aws ssm put-parameter --type SecureString`",
    ),
    (
        "Google Cloud Run",
        "`cloud/cloud-run/SERVICE.yaml`",
        "`gcloud run services replace`; for a worker `gcloud run worker-pools replace`",
        "`gcloud secrets create`",
    ),
    (
        "Azure Container Apps",
        "`cloud/container-apps/SERVICE.yaml`",
        "`az containerapp create --yaml`, in an environment of yours",
        "`az containerapp secret set`",
    ),
    (
        "Fly.io",
        "`cloud/fly/SERVICE.toml`",
        "`fly deploy --config`, from the project's directory",
        "`fly secrets set`",
    ),
    (
        "Railway",
        "`cloud/railway/SERVICE.json`",
        "the setting *Config file* of the service",
        "the service's variables",
    ),
];

pub(super) fn page(guide: &Guide<'_>) -> String {
    let mut page = String::from("# Cloud homes\n\n");
    page.push_str(&row(&["home", "good", "less good", "dollars a month"]));
    page.push_str("|---|---|---|---|\n");
    for (home, good, bad, cost) in HOMES {
        page.push_str(&row(&[home, good, bad, cost]));
    }
    page.push_str(
        "\nThe amounts are estimates that a team made in its plan for a stack with an API, pages, workers and a database; \
         they were read in November 2026 and are no offers. Ask the vendor's calculator before you choose.\n",
    );
    page.push_str(&format!("\n## What {} asks of a home\n\n", guide.name()));
    let names = |wanted: &dyn Fn(&crate::Workload<'_>) -> bool| -> Vec<String> {
        let found = guide.all.iter().filter(|one| wanted(one));
        found.map(|one| format!("`{}`", one.name())).collect()
    };
    let stores = names(&|one| one.store.is_some());
    let workers = names(&|one| {
        one.store.is_none() && matches!(one.role, Role::Worker | Role::Scheduler | Role::Daemon)
    });
    let streams = names(&|one| one.service.facts.stream.is_some());
    let front = names(&|one| matches!(one.role, Role::Web | Role::Ui));
    let stdio = names(&|one| one.role == Role::Stdio);
    if !front.is_empty() {
        page.push_str(&format!(
            "- {}: images as they are, behind the home's own door; each listens on the port that its image exposes.\n",
            front.join(", ")
        ));
    }
    if !streams.is_empty() {
        page.push_str(&format!(
            "- {}: answers that stay open. The door must not buffer, and must not end what is quiet for a minute.\n",
            streams.join(", ")
        ));
    }
    if !workers.is_empty() {
        page.push_str(&format!(
            "- {}: runs without requests. Homes that stop what nobody asks (Cloud Run) need an always-on instance for it.\n",
            workers.join(", ")
        ));
    }
    if !stores.is_empty() {
        page.push_str(&format!(
            "- {}: data. Take the home's own service of that kind, and give its address to the services by their variables \
             ([environment.md](environment.md)).\n",
            stores.join(", ")
        ));
    }
    if !stdio.is_empty() {
        page.push_str(&format!(
            "- {}: is started by its client; it needs no home, but an image in a registry.\n",
            stdio.join(", ")
        ));
    }
    if guide.built().any(|one| one.is_daemon()) {
        page.push_str("\n## Files\n\n`cloud/` has one for each service and home (`plimsoll render cloud`). None has a value of a secret: the home keeps those, and addresses of stores.\n\n");
        page.push_str(&row(&["home", "file", "taken by", "secrets"]));
        page.push_str("|---|---|---|---|\n");
        for (home, file, command, secrets) in FILES {
            page.push_str(&row(&[home, file, command, secrets]));
        }
    }
    page.push_str(
        "\nImages run as user 65532 with a read-only root and write to `/tmp` only, so that every home takes them. A virtual server is \
         described in [production.md](production.md), a cluster in [kubernetes.md](kubernetes.md).\n",
    );
    page
}
