//! Production on one host.

use super::guide::{Guide, fence};
use crate::compose;
use crate::monitoring::alertmanager;

pub(super) fn page(guide: &Guide<'_>) -> String {
    let prod = guide.command(&["prod"]);
    let has_proxy = guide.compose.contains("proxy/Caddyfile");
    let mut page = format!(
        "# Production on one host\n\nA machine with Docker and its Compose plug-in, 2.24 or newer, and the project's files.\n\n## Once\n\n{}",
        guide.settings()
    );
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
            "\n## Monitoring\n\nPrometheus, Alertmanager, Grafana, logs and traces; `monitoring/` has their configuration \
             (`plimsoll render monitoring`).\n\n{}",
            fence(&[
                "echo \"GRAFANA_ADMIN_PASSWORD=$(openssl rand -hex 16)\" >> .env".to_owned(),
                format!("{} --profile monitoring up --detach", guide.command(&["prod", "monitoring"])),
            ])
        ));
        page.push_str(&format!(
            "\nAlertmanager tells whom the files of `monitoring/{}` name: each holds one address that takes its webhook. \
             `watchdog` is called every minute as long as all is well; let a service outside of this host miss it.\n\n{}",
            alertmanager::DIRECTORY,
            fence(&alertmanager::RECEIVERS.map(|name| {
                format!(
                    "echo https://hooks.example.com/{name} > monitoring/{}/{name}",
                    alertmanager::DIRECTORY
                )
            }))
        ));
        page.push_str("\nGrafana is on 127.0.0.1:3000 of the host: reach it through `ssh -L 3000:127.0.0.1:3000 HOST`.\n");
    }
    let volumes: Vec<&str> = guide
        .input
        .project
        .volumes
        .keys()
        .map(String::as_str)
        .collect();
    if !volumes.is_empty() {
        page.push_str(&format!(
            "\n## Data\n\nVolumes: {}. Stop what writes, then copy one out:\n\n{}",
            volumes.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            fence(&[
                format!("{prod} stop"),
                format!(
                    "docker run --rm --volume {0}_{1}:/data:ro --volume \"$PWD\":/backup debian:trixie-slim tar --create --gzip --file /backup/{1}.tar.gz --directory /data .",
                    guide.name(), volumes[0]
                ),
                format!("{prod} up --detach --wait"),
            ])
        ));
    }
    page
}
