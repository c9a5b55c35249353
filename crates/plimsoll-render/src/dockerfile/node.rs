//! Dockerfiles of servers that Node runs, and what all builds with Node share.

use std::path::{Path, PathBuf};

use plimsoll_model::{BuildRecipe, NodeBuild, NodeLayout, NodeManager, NodeServerRecipe};

use super::site::{below, build_variables, copy_pages, pages};
use super::{NOBODY, USER, Writer, images, place};
use crate::Input;

/// How a package manager is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tools {
    manager: NodeManager,
}

impl Tools {
    pub(super) fn of(manager: NodeManager) -> Self {
        Self { manager }
    }

    /// Puts the manager into the image, where Node does not bring it.
    pub(super) fn install(&self, writer: &mut Writer<'_, '_>) {
        let package = match self.manager {
            NodeManager::Npm => return,
            NodeManager::Pnpm => "pnpm@10",
            NodeManager::Yarn => "corepack",
            NodeManager::Bun => "bun@1",
        };
        let mut commands = vec![format!("npm install --global --force {package}")];
        if self.manager == NodeManager::Yarn {
            commands.push("corepack enable".to_owned());
        }
        writer.script.run(&mounts(&[]), &commands);
    }

    /// Installs what the lock file says, or what the manifest asks for where there is none.
    fn packages(&self, locked: bool) -> &'static str {
        match (self.manager, locked) {
            // A lock file that lags behind its manifest is completed rather than refused.
            (NodeManager::Npm, true) => {
                "npm ci --include=dev || npm install --include=dev --no-save"
            }
            (NodeManager::Npm, false) => "npm install --include=dev --no-package-lock",
            (NodeManager::Pnpm, true) => "pnpm install --frozen-lockfile",
            (NodeManager::Pnpm, false) => "pnpm install",
            (NodeManager::Yarn, true) => {
                "yarn install --immutable || yarn install --frozen-lockfile"
            }
            (NodeManager::Yarn, false) => "yarn install",
            (NodeManager::Bun, true) => "bun install --frozen-lockfile",
            (NodeManager::Bun, false) => "bun install",
        }
    }

    /// Takes away what only the build needed.
    fn prune(&self) -> &'static str {
        match self.manager {
            NodeManager::Npm => "npm prune --omit=dev --no-save",
            NodeManager::Pnpm => "pnpm prune --prod",
            NodeManager::Yarn => {
                "yarn workspaces focus --production || yarn install --production --frozen-lockfile --ignore-scripts"
            }
            NodeManager::Bun => "rm -rf node_modules && bun install --frozen-lockfile --production",
        }
    }

    /// A script of `package.json`, as words.
    pub(super) fn run(&self, script: &str) -> Vec<String> {
        let program = match self.manager {
            NodeManager::Npm => "npm",
            NodeManager::Pnpm => "pnpm",
            NodeManager::Yarn => "yarn",
            NodeManager::Bun => "bun",
        };
        [program, "run", script].map(str::to_owned).to_vec()
    }

    /// The same as a line.
    pub(super) fn script(&self, script: &str) -> String {
        self.run(script).join(" ")
    }

    /// The line that builds a project.
    pub(super) fn build(&self, build: &NodeBuild) -> String {
        match build {
            NodeBuild::Script(script) => self.script(script),
            NodeBuild::Program(words) => format!("./node_modules/.bin/{}", words.join(" ")),
        }
    }

    /// Whether arguments for a script follow `--`.
    pub(super) fn separates(&self) -> bool {
        self.manager == NodeManager::Npm
    }

    fn files(&self, root: &Path, lock: Option<&Path>) -> Vec<PathBuf> {
        let mut files = vec![place::plain(&root.join("package.json"))];
        if let Some(lock) = lock {
            let lock = place::plain(lock);
            let beside = lock.with_file_name("package.json");
            if !files.contains(&beside) {
                files.push(beside);
            }
            files.push(lock);
        }
        files
    }
}

/// The script that serves while people work, as far as the manifest is known: one of development, or
/// `start`, which loads nothing again.
pub(crate) fn development_script(
    input: &Input<'_>,
    recipe: &BuildRecipe,
    root: &Path,
) -> &'static str {
    let manifest = recipe.context.join(place::plain(root)).join("package.json");
    let manifest = input
        .contents
        .get(&manifest)
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .unwrap_or_default();
    ["dev", "start:dev", "develop", START]
        .into_iter()
        .find(|name| manifest["scripts"][name].is_string())
        .unwrap_or("dev")
}

/// The script that serves as in production.
pub(crate) const START: &str = "start";

/// Mounts of a step that installs: the caches of the managers, settings of a private registry.
fn mounts(files: &[String]) -> Vec<String> {
    let mut mounts = vec![
        "type=cache,target=/root/.npm".to_owned(),
        "type=cache,target=/root/.local/share/pnpm".to_owned(),
        "type=cache,target=/root/.bun/install/cache".to_owned(),
        "type=secret,id=npmrc,target=/root/.npmrc".to_owned(),
    ];
    mounts.extend(files.iter().cloned());
    mounts
}

/// The sources of a service that is developed. They, and what its server writes beside them and
/// among the packages (`.next`, `node_modules/.vite`), are of the user that it runs as.
pub(super) fn developed_sources(writer: &mut Writer<'_, '_>, root: &str) {
    let directory = writer.place.directory();
    let owner = format!("{0}:{0}", NOBODY.1);
    writer
        .script
        .line(&format!("COPY --chown={owner} {directory} /app/"));
    writer.script.run(
        &[],
        &[
            format!("chown {owner} {root}"),
            format!("mkdir -p {root}/node_modules && chown {owner} {root}/node_modules"),
        ],
    );
    writer.script.line(&format!("WORKDIR {root}"));
}

/// The stage that installs packages, from the manifest and the lock file alone. Members of a
/// workspace need each other's manifests: then the sources come first.
pub(super) fn packages(
    writer: &mut Writer<'_, '_>,
    tools: &Tools,
    root: &Path,
    lock: Option<&Path>,
    name: &str,
    from: &str,
) {
    writer.script.stage(
        from,
        name,
        "Its packages, from the lock file; made anew only when that changes.\nA private registry: --secret id=npmrc,src=$HOME/.npmrc.",
    );
    let top = lock
        .and_then(Path::parent)
        .map_or_else(|| place::plain(root), place::plain);
    let is_workspace = top != place::plain(root);
    let directory = below("/app", &place::text(&top));
    let files = tools.files(root, lock);
    if is_workspace {
        let all = writer.place.directory();
        writer.script.line(&format!("COPY {all} /app/"));
    }
    writer.script.line(&format!("WORKDIR {directory}"));
    let binds: Vec<String> = match is_workspace {
        true => Vec::new(),
        false => files
            .iter()
            .map(|file| {
                // Managers write into them; what they write is gone after the step.
                format!(
                    "type=bind,source={},target=/app/{},rw",
                    writer.place.path(file),
                    place::text(file)
                )
            })
            .collect(),
    };
    writer.script.run(
        &mounts(&binds),
        &[tools.packages(lock.is_some()).to_owned()],
    );
}

pub(super) fn write(writer: &mut Writer<'_, '_>, node: &NodeServerRecipe) {
    let tools = Tools::of(node.manager);
    let reference = images::node(node.node.as_ref().map(|range| range.value.as_str()));
    let base = writer.base(&reference);
    writer
        .script
        .stage(&base, "base", "What every stage stands on.");
    writer.script.environment([("LANG", "C.UTF-8")]);
    writer.system(&[]);

    writer
        .script
        .stage("base", "tools", "Who installs the packages.");
    tools.install(writer);
    packages(
        writer,
        &tools,
        &node.root,
        node.lock.as_deref(),
        "dependencies",
        "tools",
    );

    let root = below("/app", &place::text(&place::plain(&node.root)));
    let directory = writer.place.directory();
    writer
        .script
        .stage("dependencies", "builder", "The application, built.");
    build_variables(writer, &node.build_environment);
    writer.script.line(&format!("COPY {directory} /app/"));
    writer.script.line(&format!("WORKDIR {root}"));
    if let Some(build) = &node.build {
        writer.script.run(&[], &[tools.build(build)]);
    }
    let kept = match &node.layout {
        NodeLayout::Application => {
            writer.script.run(&mounts(&[]), &[tools.prune().to_owned()]);
            vec![("/app".to_owned(), "/app".to_owned())]
        }
        NodeLayout::Standalone { directories } => directories
            .iter()
            .map(|(from, to)| {
                (
                    below(&root, &place::text(&place::plain(from))),
                    below("/app", &place::text(&place::plain(to))),
                )
            })
            .collect(),
    };

    writer.script.stage(
        "dependencies",
        "dev",
        "For development: a server that reloads what changes.",
    );
    developed_sources(writer, &root);
    writer.volumes(NOBODY.1);
    writer.script.line("ENV HOME=/tmp NODE_ENV=development");
    writer.script.line(&format!("USER {}", NOBODY.0));
    for port in &writer.recipe.ports.clone() {
        writer.script.line(&format!("EXPOSE {port}"));
    }
    let word = development_script(writer.input, writer.recipe, &node.root);
    writer.script.exec("CMD", &tools.run(word));

    writer.script.stage(
        "builder",
        "test",
        "The project's own tests, inside its image.",
    );
    if matches!(node.layout, NodeLayout::Application) {
        let locked = node.lock.is_some();
        writer
            .script
            .run(&mounts(&[]), &[tools.packages(locked).to_owned()]);
    }
    writer.script.line("ENV CI=true HOME=/home/app");
    writer.script.line(&format!("USER {USER}:{USER}"));
    writer.script.exec("CMD", &tools.run("test"));

    pages(writer);
    writer
        .script
        .stage("base", "runtime", "How the application runs.");
    writer.script.line("ENV HOME=/home/app NODE_ENV=production");
    writer.recipe_environment("NODE_ENV");
    let command = writer.command();
    writer.start(&command);
    let files = |writer: &mut Writer<'_, '_>| {
        for (from, to) in &kept {
            writer
                .script
                .line(&format!("COPY --from=builder {from} {to}"));
        }
        copy_pages(writer);
    };
    writer.script.stage(
        "runtime",
        "slim",
        "The image of production without the package manager.",
    );
    writer.script.line("USER 0");
    writer.script.run(
        &[],
        &[
            "rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn*"
                .to_owned(),
        ],
    );
    writer.script.line(&format!("USER {USER}:{USER}"));
    files(writer);

    writer.debug_stage();
    writer.script.line(&format!("USER {USER}:{USER}"));
    writer.script.line("EXPOSE 9229");
    writer
        .script
        .line("ENV NODE_OPTIONS=--inspect=0.0.0.0:9229");
    files(writer);

    writer
        .script
        .stage("runtime", "production", "What is published and runs.");
    files(writer);
}
