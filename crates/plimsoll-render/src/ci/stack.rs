//! The job that runs the stack from the images as they were published.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::actions::{checkout, login};
use super::images::{Image, Registry};
use crate::variable_files;
use crate::{Input, ProbeTest, Target, Workload};

/// The job; `None` where no Compose file says how services run together.
pub(super) fn job(
    input: &Input<'_>,
    all: &[Workload<'_>],
    images: &[Image],
    registry: &Registry,
) -> Option<Value> {
    let files = files(input)?;
    let daemons: Vec<&Workload<'_>> = all
        .iter()
        .filter(|one| one.is_daemon() && one.service.profiles.is_empty())
        .collect();
    if daemons.is_empty() {
        return None;
    }
    let names: Vec<&str> = daemons.iter().map(|one| one.name()).collect();
    let taken: String = images
        .iter()
        .flat_map(|image| {
            image.services.iter().map(move |service| {
                let local = local_name(input, service);
                format!(
                    "{local} ${{{{ needs.{}.outputs.reference }}}}\n",
                    image.job()
                )
            })
        })
        .collect();
    let mut steps = vec![checkout(), login(registry)];
    steps.push(json!({
        "name": "Take the published images instead of building them",
        "env": { "IMAGES": taken },
        "run": "while read -r name reference; do\n  docker pull --quiet \"$reference\"\n  docker tag \"$reference\" \"$name\"\ndone <<< \"${IMAGES%$'\\n'}\"\n",
    }));
    let files_of_variables = variable_files::needed(input);
    if !files_of_variables.is_empty() {
        let lines: Vec<String> = files_of_variables
            .iter()
            .map(|file| file.command())
            .collect();
        steps.push(json!({
            "name": "Make the files of variables, which are not committed",
            "run": format!("{}\n", lines.join("\n")),
        }));
    }
    let required = required(input);
    if !required.is_empty() {
        let names: Vec<&str> = required.iter().map(String::as_str).collect();
        steps.push(json!({
            "name": "Make up values that the stack cannot do without",
            "run": format!(
                "for name in {}; do\n  echo \"$name=$(openssl rand -hex 16)\" >> \"$GITHUB_ENV\"\ndone\n",
                names.join(" ")
            ),
        }));
    }
    steps.push(json!({
        "name": "Start the stack",
        "run": format!(
            "docker compose {files} up --detach --no-build --wait --wait-timeout 180 {}\n",
            names.join(" ")
        ),
    }));
    let requests: String = daemons.iter().filter_map(|one| request(one)).collect();
    if !requests.is_empty() {
        steps.push(json!({
            "name": "Ask it",
            "run": requests,
        }));
    }
    steps.push(json!({
        "name": "Tell what it said",
        "if": "failure()",
        "run": format!("docker compose {files} ps --all\ndocker compose {files} logs --no-color --tail 200\n"),
    }));
    let needs: Vec<String> = images.iter().map(Image::job).collect();
    let mut permissions = json!({ "contents": "read" });
    if registry.is_githubs() {
        permissions["packages"] = json!("read");
    }
    Some(json!({
        "name": "run the stack",
        "if": "github.event_name != 'pull_request'",
        "needs": needs,
        "runs-on": "ubuntu-24.04",
        "timeout-minutes": 20,
        "permissions": permissions,
        "steps": steps,
    }))
}

/// The options that name the Compose files.
fn files(input: &Input<'_>) -> Option<String> {
    let project = input.project;
    if project.files.is_empty() {
        let rendered = Target::Compose.render(input);
        return rendered
            .files
            .contains_key("compose.yaml")
            .then(|| "--file compose.yaml".to_owned());
    }
    // Images are built by rendered Dockerfiles: what is in them starts as the overlay for tests says.
    let overlay = Target::Compose
        .render(input)
        .files
        .contains_key("compose.test.yaml")
        .then_some(" --file compose.test.yaml");
    let named: Option<Vec<String>> = project
        .files
        .iter()
        .map(|file| {
            let inside = file.strip_prefix(&project.directory).ok()?;
            Some(format!("--file {}", inside.display()))
        })
        .collect();
    Some(named?.join(" ") + overlay.unwrap_or_default())
}

/// What Compose calls the image of a service that it builds.
fn local_name(input: &Input<'_>, service: &str) -> String {
    let written = input
        .project
        .services
        .get(service)
        .and_then(|service| service.image.as_ref());
    match written {
        Some(image) => image.value.clone(),
        None => format!("{}-{service}", input.project.name),
    }
}

/// A request to a service that is published and answers one of its health.
fn request(one: &Workload<'_>) -> Option<String> {
    let Some(ProbeTest::Http { port, path }) = one.probe.as_ref().map(|probe| &probe.test) else {
        return None;
    };
    let listener = one
        .listeners
        .iter()
        .find(|listener| listener.port == *port)?;
    let published = listener.published.first()?;
    Some(format!(
        "curl --fail --silent --show-error --output /dev/null --retry 10 --retry-connrefused 'http://127.0.0.1:{published}{path}'\n"
    ))
}

/// Variables that the Compose files take from the environment and give no default.
fn required(input: &Input<'_>) -> BTreeSet<String> {
    let of_files = input
        .project
        .files
        .iter()
        .filter_map(|file| input.contents.get(file).cloned());
    let rendered = match input.project.files.is_empty() {
        true => Target::Compose
            .render(input)
            .files
            .remove("compose.yaml")
            .map(|file| file.text),
        false => None,
    };
    of_files
        .chain(rendered)
        .flat_map(|text| without_default(&text))
        .collect()
}

/// The names in `${NAME}`, `${NAME:?…}` and `${NAME?…}`, without those that have a default elsewhere.
fn without_default(text: &str) -> BTreeSet<String> {
    let mut wanted: Map<String, Value> = Map::new();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    for line in lines {
        for (at, _) in line.match_indices("${") {
            if line[..at].ends_with('$') {
                continue;
            }
            let rest = &line[at + 2..];
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let has_default = after.starts_with(":-")
                || after.starts_with('-')
                || after.starts_with(":+")
                || after.starts_with('+');
            if !name.is_empty() {
                let known = wanted.get(name).is_some_and(|known| known == &json!(true));
                wanted.insert(name.to_owned(), json!(has_default || known));
            }
        }
    }
    wanted
        .into_iter()
        .filter(|(_, has_default)| *has_default == json!(false))
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_without_a_default_are_found() {
        let text = "a: ${ONE}\nb: ${TWO:?say it}\nc: ${THREE:-3}\nd: $${FOUR}\n# ${FIVE}\ne: ${ONE:+x}\nf: ${SIX?}${SEVEN}\n";
        let names: Vec<String> = without_default(text).into_iter().collect();
        assert_eq!(names, ["SEVEN", "SIX", "TWO"]);
    }
}
