//! Production on one host.

use std::collections::BTreeSet;

use plimsoll_model::facts::NeedKind;

use super::guide::{Guide, fence};
use crate::compose;
use crate::dockerfile::USER;

pub(super) fn page(guide: &Guide<'_>) -> String {
    let prod = guide.command(&["prod"]);
    let has_proxy = guide.compose.contains("proxy/Caddyfile");
    let mut page = format!(
        "# Production on one host\n\nA machine with Docker and its Compose plug-in, 2.24 or newer, and the project's files.\n\n## Once\n\n{}",
        guide.settings()
    );
    for one in guide.built().filter(|one| one.mounted_home().is_some()) {
        page.push_str(&format!(
            "\n`{}` writes to directories of the host: they must belong to its user, {USER} (`chown -R {USER}:{USER} DIRECTORY`).\n",
            one.name()
        ));
    }
    if has_proxy {
        page.push_str(
            "\n`DOMAIN` is the name that people type; its address record must lead to the host, and ports 80 and \
             443 must be open: the proxy gets a certificate by itself. Without it the name is `localhost`, and \
             the certificate is the proxy's own.\n\n",
        );
        let below = compose::names_below_domain(guide.input);
        if !below.is_empty() {
            let below: Vec<String> = below
                .iter()
                .map(|name| format!("`{name}.DOMAIN`"))
                .collect();
            page.push_str(&format!(
                "The same goes for {}, where {}.\n\n",
                below.join(", "),
                if below.len() == 1 {
                    "a service has an address of its own"
                } else {
                    "services have addresses of their own"
                }
            ));
        }
        page.push_str(&fence(&["echo \"DOMAIN=desk.example.com\" >> .env"]));
    }
    page.push_str(&format!(
        "\n## Each release\n\n`VERSION` is the tag of the images.\n\n{}",
        fence(&[
            format!("{prod} build"),
            format!("{prod} up --detach --wait"),
            format!("{prod} ps"),
        ])
    ));
    if guide.input.registry.is_some() {
        page.push_str(&format!(
            "\nImages that were built elsewhere are pulled instead:\n\n{}",
            fence(&[
                format!("VERSION=1.2.3 {prod} pull"),
                format!("VERSION=1.2.3 {prod} up --detach --wait --no-build"),
            ])
        ));
    }
    page.push_str(&format!(
        "\nBack to the release before:\n\n{}",
        fence(&[format!(
            "VERSION=1.2.2 {prod} up --detach --wait --no-build"
        )])
    ));
    page.push_str("\n## What is different from development\n\n");
    page.push_str(
        "- Roots are read-only, capabilities are dropped, no process gains privileges.\n\
         - Every service has limits of processors, memory and processes, and starts again when it ends.\n\
         - Logs rotate: five files of 10 MB for each container.\n",
    );
    let stores: Vec<String> = guide
        .stores()
        .map(|one| format!("`{}`", one.name()))
        .collect();
    if !stores.is_empty() {
        page.push_str(&format!(
            "- {} {} in the network `database`, which leads nowhere else; no port of them is published.\n",
            stores.join(" and "),
            if stores.len() == 1 { "is" } else { "are" }
        ));
    }
    if has_proxy {
        page.push_str(
            "- People come in by the proxy alone, encrypted; `proxy/Caddyfile` has the routes.\n",
        );
    }
    if guide.compose.contains("compose.monitoring.yaml") {
        page.push_str(&format!(
            "\n## Monitoring\n\nPrometheus, Alertmanager, Grafana, logs and traces run beside the stack; [monitoring.md](monitoring.md) tells what is where.\n\n{}",
            fence(&[
                "echo \"GRAFANA_ADMIN_PASSWORD=$(openssl rand -hex 16)\" >> .env".to_owned(),
                format!("{} --profile monitoring up --detach", guide.command(&["prod", "monitoring"])),
            ])
        ));
    }
    page.push_str(&data(guide, &prod));
    page
}

/// How a copy is taken of what lasts.
fn data(guide: &Guide<'_>, prod: &str) -> String {
    let kept: BTreeSet<&str> = guide
        .all
        .iter()
        .flat_map(|one| one.volumes().map(|(name, _)| name))
        .collect();
    if kept.is_empty() {
        return String::new();
    }
    let listed: Vec<String> = kept.iter().map(|name| format!("`{name}`")).collect();
    let mut page = format!("\n## Data\n\nVolumes: {}.\n", listed.join(", "));
    let postgres = guide
        .stores()
        .find(|one| one.store.and_then(|store| store.kind) == Some(NeedKind::Postgres));
    if let Some(store) = postgres {
        page.push_str(&format!(
            "\nA copy of `{0}` while it runs, and back from it into an empty one:\n\n{1}",
            store.name(),
            fence(&[
                format!(
                    "{prod} exec -T {} sh -c 'pg_dump --username \"${{POSTGRES_USER:-postgres}}\" \"${{POSTGRES_DB:-postgres}}\"' > backup.sql",
                    store.name()
                ),
                format!(
                    "{prod} exec -T {} sh -c 'psql --username \"${{POSTGRES_USER:-postgres}}\" \"${{POSTGRES_DB:-postgres}}\"' < backup.sql",
                    store.name()
                ),
            ])
        ));
    }
    let is_dumped =
        |name: &str| postgres.is_some_and(|one| one.volumes().any(|(own, _)| own == name));
    let Some(volume) = kept.into_iter().find(|name| !is_dumped(name)) else {
        return page;
    };
    let full = guide.input.project.volumes.get(volume).map_or_else(
        || format!("{}_{volume}", guide.name()),
        |known| known.name.clone(),
    );
    page.push_str(&format!(
        "\nA copy of any volume, here of `{volume}`: stop what writes, then copy its files.\n\n{}",
        fence(&[
            format!("{prod} stop"),
            format!(
                "docker run --rm --volume {full}:/data:ro --volume \"$PWD\":/backup debian:trixie-slim tar --create --gzip --file /backup/{volume}.tar.gz --directory /data ."
            ),
            format!("{prod} up --detach --wait"),
        ])
    ));
    page
}
