//! One service as an entry of a Compose file, in standard keys.

use std::path::Path;
use std::time::Duration;

use plimsoll_model::yaml::{Key, Map, Node, Value};
use plimsoll_model::{
    Dependency, DependencyCondition, HealthTest, Healthcheck, Mount, MountKind, NetworkMode, Port,
    Project, Protocol, RecipeKind, Restart, Service,
};

/// Where `plimsoll render dockerfile` puts a service's Dockerfile.
fn dockerfile(service: &str) -> String {
    format!("docker/{service}.Dockerfile")
}

/// The entry.
pub(super) fn entry(project: &Project, service: &Service) -> Map {
    let mut map = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key, Node::made(value));
        }
    };
    put(
        "image",
        service
            .image
            .as_ref()
            .map(|image| literal(&image.value).into()),
    );
    put("build", build(service).map(Value::Map));
    put("command", command(service).map(|words| list(&words)));
    put("environment", environment(project, service));
    put(
        "ports",
        some_list(service.ports.iter().map(|it| port(&it.value))),
    );
    put(
        "volumes",
        some_list(
            service
                .volumes
                .iter()
                .filter_map(|it| mount(&it.value, &project.directory)),
        ),
    );
    put(
        "network_mode",
        service
            .network_mode
            .as_ref()
            .and_then(|mode| match &mode.value {
                NetworkMode::Service(other) => Some(format!("service:{other}").into()),
                NetworkMode::None => Some("none".into()),
                NetworkMode::Host => Some("host".into()),
                _ => None,
            }),
    );
    put("depends_on", depends_on(service));
    put(
        "post_start",
        some_list(service.post_start.iter().map(|hook| {
            let command = (Key::made("command"), Node::made(list(&hook.value.command)));
            Value::Map([command].into_iter().collect())
        })),
    );
    // What is assembled from source is asked by Plimsoll itself, at the path that the code answers.
    let stated = service.healthcheck.as_ref();
    put(
        "healthcheck",
        stated
            .filter(|_| service.recipe.is_none())
            .and_then(|check| healthcheck(&check.value)),
    );
    put("restart", restart(&service.restart.value).map(Value::Text));
    put("stdin_open", service.stdin_open.then(|| true.into()));
    put(
        "profiles",
        some_list(service.profiles.iter().map(|name| name.as_str().into())),
    );
    map
}

fn build(service: &Service) -> Option<Map> {
    let recipe = service.recipe.as_ref()?;
    let pairs = [
        ("context", ".".to_owned()),
        ("dockerfile", dockerfile(&service.name)),
        ("target", "production".to_owned()),
    ];
    let mut map: Map = pairs
        .into_iter()
        .map(|(key, value)| (Key::made(key), Node::made(value)))
        .collect();
    let arguments = match &recipe.kind {
        RecipeKind::StaticSite(site) => site.build_environment.as_slice(),
        RecipeKind::NodeServer(server) => server.build_environment.as_slice(),
        _ => &[],
    };
    if !arguments.is_empty() {
        let arguments: Map = arguments
            .iter()
            .map(|(name, value)| (Key::made(name.clone()), Node::made(with_references(value))))
            .collect();
        map.insert("args", Node::made(arguments));
    }
    Some(map)
}

/// The words that it is started with, where they tell it from others of the same directory.
fn command(service: &Service) -> Option<Vec<String>> {
    if let Some(command) = &service.command {
        return Some(command.value.0.clone());
    }
    let recipe = service.recipe.as_ref()?;
    matches!(recipe.kind, RecipeKind::Python(_)).then(|| recipe.command.clone())
}

fn environment(project: &Project, service: &Service) -> Option<Value> {
    let mut map = Map::new();
    for (name, value) in &service.environment {
        let node = match &value.value {
            Some(value) => Node::made(with_references(value)),
            None => Node::made(Value::Null),
        };
        let node = match super::variables_file::about(project, name) {
            Some(about) => node.commented(about),
            None => node,
        };
        map.insert(name.as_str(), node);
    }
    let is_site = |service: &Service| {
        let kind = service.recipe.as_ref().map(|recipe| &recipe.kind);
        matches!(kind, Some(RecipeKind::StaticSite(_)))
    };
    if !is_site(service) {
        for name in super::variables_file::passed_on(project, &service.name) {
            if !map.contains(name) {
                let about = super::variables_file::about(project, name).unwrap_or_default();
                map.insert(name, Node::made(Value::Null).commented(about));
            }
        }
    }
    (!map.is_empty()).then_some(Value::Map(map))
}

fn depends_on(service: &Service) -> Option<Value> {
    let map: Map = service
        .depends_on
        .iter()
        .map(|(name, dependency)| {
            (
                Key::made(name.clone()),
                Node::made(condition(dependency.value)),
            )
        })
        .collect();
    (!map.is_empty()).then_some(Value::Map(map))
}

fn condition(dependency: Dependency) -> Map {
    let condition = match dependency.condition {
        DependencyCondition::ServiceStarted => "service_started",
        DependencyCondition::ServiceHealthy => "service_healthy",
        DependencyCondition::ServiceCompletedSuccessfully => "service_completed_successfully",
    };
    let mut map = Map::from_iter([(Key::made("condition"), Node::made(condition))]);
    if dependency.restart {
        map.insert("restart", Node::made(true));
    }
    if !dependency.required {
        map.insert("required", Node::made(false));
    }
    map
}

pub(super) fn healthcheck(check: &Healthcheck) -> Option<Value> {
    let test = match check.test.as_ref()? {
        HealthTest::Exec(words) => {
            let mut all = vec!["CMD".to_owned()];
            all.extend(words.iter().cloned());
            all
        }
        HealthTest::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
        _ => return None,
    };
    let mut map = Map::from_iter([(Key::made("test"), Node::made(list(&test)))]);
    for (key, time) in [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("start_period", check.start_period),
        ("start_interval", check.start_interval),
    ] {
        if let Some(time) = time {
            map.insert(key, Node::made(duration(time)));
        }
    }
    if let Some(retries) = check.retries {
        map.insert("retries", Node::made(i64::from(retries)));
    }
    Some(Value::Map(map))
}

fn duration(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}

pub(super) fn port(port: &Port) -> Value {
    let mut text = String::new();
    if let Some(address) = port.host_ip {
        text.push_str(&match address.is_ipv6() {
            true => format!("[{address}]:"),
            false => format!("{address}:"),
        });
    }
    if let Some(published) = port.published {
        text.push_str(&format!("{published}:"));
    }
    text.push_str(&port.target.to_string());
    if port.protocol == Protocol::Udp {
        text.push_str("/udp");
    }
    Value::Text(text)
}

fn mount(mount: &Mount, directory: &Path) -> Option<Value> {
    let source = match &mount.kind {
        MountKind::Volume {
            name: Some(name), ..
        } => name.clone(),
        MountKind::Bind { source, .. } => {
            let below = source.strip_prefix(directory).ok()?;
            format!("./{}", below.display())
        }
        _ => return None,
    };
    let end = if mount.read_only { ":ro" } else { "" };
    Some(Value::Text(literal(&format!(
        "{source}:{}{end}",
        mount.target.display()
    ))))
}

fn restart(restart: &Restart) -> Option<String> {
    match restart {
        Restart::No => None,
        Restart::Always => Some("always".to_owned()),
        Restart::UnlessStopped => Some("unless-stopped".to_owned()),
        Restart::OnFailure { max_attempts: None } => Some("on-failure".to_owned()),
        Restart::OnFailure {
            max_attempts: Some(most),
        } => Some(format!("on-failure:{most}")),
    }
}

fn some_list(values: impl Iterator<Item = Value>) -> Option<Value> {
    let list: Vec<Node> = values.map(Node::made).collect();
    (!list.is_empty()).then_some(Value::List(list))
}

/// Words in which `$` means itself.
pub(super) fn list(words: &[String]) -> Value {
    Value::List(words.iter().map(|word| Node::made(literal(word))).collect())
}

fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// Text whose references to variables of this stack stay, each of them required; any other `$`
/// means itself.
fn with_references(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(&literal(before));
        match after.split_once('}') {
            Some((name, after)) if is_name(name) => {
                out.push_str(&format!("${{{name}:?set it in .env}}"));
                rest = after;
            }
            _ => {
                out.push_str("$${");
                rest = after;
            }
        }
    }
    out + &literal(rest)
}

/// The variables that a text refers to.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .filter(|name| is_name(name))
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !text.is_empty() && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stay_and_other_dollars_are_text() {
        assert_eq!(
            with_references("a$b ${PASSWORD}@x ${no}"),
            "a$$b ${PASSWORD:?set it in .env}@x $${no}"
        );
        assert_eq!(references("x${A_B}y${c}").collect::<Vec<_>>(), ["A_B"]);
    }
}
