//! Images that are for whoever runs a stack, not for whom the stack serves: they show everything, and
//! many ask nobody for a password.

use plimsoll_model::Service;

/// Their repositories, without the registry; a `/` at the end stands for all of an owner.
const TOOLS: [&str; 26] = [
    "adminer",
    "cadvisor/cadvisor",
    "cloudbeaver",
    "dbeaver/cloudbeaver",
    "dpage/pgadmin4",
    "grafana/",
    "jaegertracing/",
    "kibana",
    "louislam/uptime-kuma",
    "maildev/maildev",
    "mailhog/mailhog",
    "axllent/mailpit",
    "mher/flower",
    "mongo-express",
    "netdata/netdata",
    "openzipkin/",
    "otel/",
    "phpmyadmin",
    "phpmyadmin/phpmyadmin",
    "portainer/",
    "prom/",
    "prometheuscommunity/",
    "provectuslabs/kafka-ui",
    "rediscommander/redis-commander",
    "redis/redisinsight",
    "sosedoff/pgweb",
];

/// Repositories of programs that take requests in and pass them on.
const DOORS: [&str; 10] = [
    "caddy",
    "envoyproxy/envoy",
    "haproxy",
    "haproxytech/haproxy-alpine",
    "httpd",
    "jc21/nginx-proxy-manager",
    "nginx",
    "nginxinc/nginx-unprivileged",
    "nginxproxy/nginx-proxy",
    "traefik",
];

/// Whether a service is a tool of whoever runs the stack.
pub(super) fn is_tool(service: &Service) -> bool {
    repository(service).is_some_and(|name| {
        TOOLS.iter().any(|known| match known.strip_suffix('/') {
            Some(_) => name.starts_with(known),
            None => name == *known,
        })
    })
}

/// Whether a service is a proxy in front of others: of an image that is one, and given a
/// configuration.
pub(super) fn is_door(service: &Service) -> bool {
    !service.volumes.is_empty()
        && repository(service).is_some_and(|name| DOORS.contains(&name.as_str()))
}

/// The repository of an image of others: `grafana/grafana` of `docker.io/grafana/grafana:12.1`.
fn repository(service: &Service) -> Option<String> {
    if service.build.is_some() || service.recipe.is_some() {
        return None;
    }
    let reference = service.image.as_ref()?.value.as_str();
    let name = reference.split('@').next().unwrap_or(reference);
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    let name = match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => name,
    };
    Some(name.strip_prefix("library/").unwrap_or(name).to_owned())
}
