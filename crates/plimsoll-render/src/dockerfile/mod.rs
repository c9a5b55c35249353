//! Dockerfiles: one for each service that is assembled from source, with the stages that a team
//! needs: `production` (the last, so the default), `slim`, `debug`, `dev` and `test`.
//!
//! Every one is built with the project's directory as its context: `docker build -f
//! docker/SERVICE.Dockerfile .`. They use nothing that the builder built into Docker, and buildah,
//! do not have: no syntax image, no here-documents. Dependencies are installed from lock files that
//! are mounted, with caches that are mounted, before any source is copied, so that an edit rebuilds
//! the last layer alone; settings of a private registry are mounted as secrets. A service with a
//! Dockerfile of its own keeps it.

mod compiled;
mod ignore;
mod images;
pub(crate) mod node;
mod place;
pub(crate) mod python;
mod script;
mod site;

use plimsoll_model::{BuildRecipe, RecipeKind};

use crate::header::header;
use crate::{Fidelity, Input, Loss, Rendering, Workload, workloads};
pub(crate) use place::{Place, plain, text};
use script::Script;

/// The directory that the Dockerfiles go to.
pub(crate) const DIRECTORY: &str = "docker";

/// User and group that services run as.
pub(crate) const USER: u32 = 65532;

/// Whom services in development run as, and the number of that name. Compose copies changed files
/// into a container in the name of its user, which Docker looks up on the host, as it is written:
/// of the unprivileged ones only this is known everywhere.
const NOBODY: (&str, u32) = ("nobody", 65534);

/// The path of a service's Dockerfile; `None` where none is rendered for it.
pub(crate) fn path(one: &Workload<'_>) -> Option<String> {
    let recipe = one.service.recipe.as_ref()?;
    match recipe.kind {
        RecipeKind::Dockerfile(_) => None,
        _ => Some(format!("{DIRECTORY}/{}.Dockerfile", one.name())),
    }
}

/// Renders the Dockerfiles.
pub fn render(input: &Input<'_>) -> Rendering {
    let mut rendering = Rendering::default();
    let all = workloads(input);
    for one in &all {
        let Some(recipe) = &one.service.recipe else {
            continue;
        };
        let subject = format!("services.{}.build", one.name());
        let Some(path) = path(one) else {
            rendering.losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    subject,
                    "its own Dockerfile says how it is built, and stays",
                )
                .at(one.service.span.clone()),
            );
            continue;
        };
        let Some(place) = Place::of(input, recipe) else {
            rendering.losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    subject,
                    "it is built from files outside of the project's directory, which no build context holds",
                )
                .at(one.service.span.clone())
                .hint("render in a directory that holds both"),
            );
            continue;
        };
        let mut writer = Writer {
            input,
            one,
            recipe,
            place,
            script: Script::new(&header(input, "dockerfile")),
            rendering: &mut rendering,
        };
        writer.introduction(&path);
        match &recipe.kind {
            RecipeKind::Python(python) => python::write(&mut writer, python),
            RecipeKind::StaticSite(site) => site::write(&mut writer, site),
            RecipeKind::NodeServer(node) => node::write(&mut writer, node),
            RecipeKind::Go(go) => compiled::go(&mut writer, go),
            RecipeKind::Rust(rust) => compiled::rust(&mut writer, rust),
            RecipeKind::Dockerfile(_) => {}
        }
        let text = writer.script.text();
        rendering.file(path, text);
    }
    if !rendering.files.is_empty() {
        ignore::write(input, &all, &mut rendering);
    }
    rendering
}

/// What a writer of one Dockerfile works with.
struct Writer<'w, 'a> {
    input: &'w Input<'a>,
    one: &'w Workload<'a>,
    recipe: &'w BuildRecipe,
    place: Place,
    script: Script,
    rendering: &'w mut Rendering,
}

impl Writer<'_, '_> {
    fn introduction(&mut self, path: &str) {
        self.script.note(&format!(
            "\nBuild it from the project's directory:\n\n    docker build -f {path} -t {}-{} .\n\n\
             `--target` chooses slim, debug, dev or test instead of production.",
            self.input.project.name,
            self.one.name()
        ));
    }

    fn loss(&mut self, loss: Loss) {
        if !self.rendering.losses.contains(&loss) {
            self.rendering.losses.push(loss);
        }
    }

    /// The reference of a base image, pinned where its digest is known.
    fn base(&mut self, reference: &str) -> String {
        let (pinned, loss) = images::pinned(self.input, reference);
        if let Some(loss) = loss {
            self.loss(loss);
        }
        pinned
    }

    /// Packages of the system that the service needs, and its user.
    fn system(&mut self, extra: &[&str]) {
        let mut packages: Vec<&str> = self
            .recipe
            .system_packages
            .iter()
            .map(|package| package.value.as_str())
            .chain(extra.iter().copied())
            .collect();
        packages.sort_unstable();
        packages.dedup();
        self.install(&packages);
        self.user();
        self.volumes(USER);
    }

    /// The user of the service, and its home, with nothing in it.
    fn user(&mut self) {
        self.script.run(
            &[],
            &[
                format!("groupadd --gid {USER} app"),
                format!(
                    "useradd --uid {USER} --gid app --create-home --skel /dev/null --home-dir /home/app --shell /usr/sbin/nologin app"
                ),
            ],
        );
    }

    /// Gives directories that volumes are mounted at to a user: a new volume takes its owner from
    /// there.
    fn volumes(&mut self, user: u32) {
        let directories = self.volume_directories();
        if !directories.is_empty() {
            self.script.run(
                &[],
                &[format!(
                    "install --directory --owner={user} --group={user} {}",
                    directories.join(" ")
                )],
            );
        }
    }

    /// Where volumes are mounted, except those that stand for a part of the image.
    fn volume_directories(&self) -> Vec<String> {
        let mut directories: Vec<String> = self
            .one
            .volumes()
            .map(|(_, path)| path.display().to_string())
            .filter(|path| !path.ends_with("/.venv") && !path.ends_with("/node_modules"))
            .map(|path| script::word(&path))
            .collect();
        directories.sort();
        directories.dedup();
        directories
    }

    /// The variables that the service's recipe sets, but for one that the base sets already.
    fn recipe_environment(&mut self, but: &str) {
        let variables = self.recipe.environment.iter();
        let variables: Vec<(&str, &str)> = variables
            .filter(|(name, _)| name != but)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.script.environment(variables);
    }

    /// Begins the stage `debug`, as root, with tools to look around.
    fn debug_stage(&mut self) {
        self.script.stage(
            "runtime",
            "debug",
            "The image of production with a debugger and tools to look around.",
        );
        self.script.line("USER 0");
        self.install(&["curl", "procps", "strace"]);
    }

    /// Debian packages, from caches that stay out of the image.
    fn install(&mut self, packages: &[&str]) {
        if packages.is_empty() {
            return;
        }
        self.script.run(
            &[
                "type=cache,target=/var/cache/apt,sharing=locked".to_owned(),
                "type=cache,target=/var/lib/apt/lists,sharing=locked".to_owned(),
            ],
            &[
                "rm -f /etc/apt/apt.conf.d/docker-clean".to_owned(),
                "apt-get update".to_owned(),
                format!(
                    "apt-get install --yes --no-install-recommends {}",
                    packages.join(" ")
                ),
            ],
        );
    }

    /// What every image of the service says of itself, and how it is started.
    fn start(&mut self, command: &[String]) {
        self.start_as(&format!("{USER}:{USER}"), command);
    }

    fn start_as(&mut self, user: &str, command: &[String]) {
        let directory = match self.recipe.working_dir.as_os_str().is_empty() {
            true => "/app".to_owned(),
            false => self.recipe.working_dir.display().to_string(),
        };
        self.script.line(&format!("WORKDIR {directory}"));
        self.script.line(&format!("USER {user}"));
        for port in &self.recipe.ports {
            self.script.line(&format!("EXPOSE {port}"));
        }
        self.health();
        if !command.is_empty() {
            self.script.exec("CMD", command);
        }
        self.script.line("ARG VERSION=0.0.0");
        self.script.line("ARG REVISION=unknown");
        self.script.labels([
            ("org.opencontainers.image.title", self.one.name()),
            (
                "org.opencontainers.image.vendor",
                self.input.project.name.as_str(),
            ),
        ]);
        self.script.line(
            "LABEL org.opencontainers.image.version=\"${VERSION}\" \\\n    \
             org.opencontainers.image.revision=\"${REVISION}\"",
        );
    }

    fn health(&mut self) {
        let Some(probe) = self.one.probe.clone() else {
            return;
        };
        match crate::health::command(self.one) {
            Some(words) => {
                let seconds = |duration: std::time::Duration| duration.as_secs().max(1);
                self.script.line(&format!(
                    "HEALTHCHECK --interval={}s --timeout={}s --start-period={}s --retries={} \\\n    CMD {}",
                    seconds(probe.interval),
                    seconds(probe.timeout),
                    probe.start_period.as_secs(),
                    probe.retries.max(1),
                    script::json_list(&words)
                ));
            }
            None => self.loss(
                Loss::new(
                    Fidelity::Approximate,
                    format!("services.{}.healthcheck", self.one.name()),
                    "its image has no program that could ask; whoever runs it asks from outside",
                )
                .at(probe.span.clone()),
            ),
        }
    }

    /// The command that the image starts with.
    fn command(&self) -> Vec<String> {
        match (&self.recipe.command, &self.one.service.command) {
            (words, Some(command)) if words.is_empty() => command.value.0.clone(),
            (words, _) => words.clone(),
        }
    }
}
