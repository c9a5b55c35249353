//! From a recipe to layers and a configuration.

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_model::{BuildRecipe, StaticSiteRecipe};

use super::StaticSiteError;
use super::manager::Manager;
use super::nginx;
use super::packages::{self, last_lines};
use crate::application::Application;
use crate::base;
use crate::debian::{BaseRequest, Suite};
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::oci::ImageConfig;
use crate::python::BUILD_USER;
use crate::step::scratch::give;
use crate::store::{ImageLayer, Segment};
use crate::workshop::Workshop;
use crate::{Access, BindMount};

/// Changes whenever layers of the same inputs come out otherwise.
const RULES: &str = "static site 1";

/// The Debian release of server and build root.
const SUITE: Suite = Suite::Trixie;

/// What serves the site.
const SERVER: &[&str] = &["nginx"];

/// What it depends on for its maintainer scripts alone.
const UNUSED: &[&str] = &["iproute2"];

/// What build steps need besides Node: a shell and the tools that scripts call.
const BUILD_ROOT: &[&str] = &[
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "libatomic1",
    "libstdc++6",
    "sed",
];

/// Where the sources are in the sandbox.
pub(super) const SITE: &str = "/site";

/// Where the step copies what the build left.
const OUT: &str = "/plimsoll/out";

/// Copies what a build left in `$2` to `$1`, after running the rest. The exit code 71 says that
/// the build succeeded but left nothing.
const SCRIPT: &str = r#"
out=$1; left=$2; shift 2
"$@" || exit $?
[ -d "$left" ] || exit 71
cp -RL -- "$left/." "$out/"
"#;

/// The exit code of [`SCRIPT`] for a build that left nothing.
const LEFT_NOTHING: i32 = 71;

/// A site to build.
pub(super) struct Site<'a> {
    pub workshop: &'a Workshop<'a>,
    pub recipe: &'a StaticSiteRecipe,
    pub manager: Manager,
    pub manifest: serde_json::Value,
    pub sources: Application,
    /// The directory of `package.json` below the context.
    pub root: String,
}

/// Makes the layers of a site, and says how its image starts.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    site: &StaticSiteRecipe,
) -> Result<(Vec<ImageLayer>, ImageConfig), StaticSiteError> {
    let root = site.root.display().to_string();
    let root = root.trim_start_matches("./").trim_matches('/');
    let root = if root == "." { "" } else { root };
    let site = Site {
        workshop,
        recipe: site,
        manager: Manager::of(site.manager)?,
        manifest: packages::manifest(&recipe.context, root)?,
        sources: packages::sources(&recipe.context, workshop.cache)?,
        root: root.to_string(),
    };
    let mut request = BaseRequest::new(SUITE, workshop.architecture);
    request.runtime = SERVER.iter().map(|name| name.to_string()).collect();
    request.extra = recipe
        .system_packages
        .iter()
        .map(|package| package.value.clone())
        .collect();
    request.without = UNUSED.iter().map(|name| name.to_string()).collect();
    request.users = vec![base::account()];
    let server = base::assemble(workshop, &request)?;
    let mut layers = server.layers().to_vec();
    layers.extend(configuration(workshop)?);
    layers.extend(site.files()?);
    Ok((layers, config(recipe)))
}

/// The server's configuration as a layer.
fn configuration(workshop: &Workshop<'_>) -> Result<Vec<ImageLayer>, StaticSiteError> {
    let text = nginx::configuration();
    let key = format!(
        "{RULES} configuration {}",
        crate::Digest::of(text.as_bytes())
    );
    workshop.layers(&key, || {
        let mut files = FileSet::new();
        let place = nginx::CONFIGURATION.trim_start_matches('/');
        files.file(place, Attributes::FILE, text.clone())?;
        let segment = workshop.store.put_segment(&key, &files)?;
        Ok(vec![layer(workshop, &[segment], "nginx configuration")?])
    })
}

fn layer(
    workshop: &Workshop<'_>,
    segments: &[Segment],
    created_by: &str,
) -> Result<ImageLayer, StaticSiteError> {
    Ok(ImageLayer {
        layer: workshop.store.commit_layer(segments)?,
        created_by: created_by.to_string(),
    })
}

impl Site<'_> {
    /// The site's files, built now unless these sources were built before.
    fn files(&self) -> Result<Vec<ImageLayer>, StaticSiteError> {
        let workshop = self.workshop;
        let recipe = self.recipe;
        let key = format!(
            "{RULES} of {} {} {:?} {:?} {:?} with {}",
            self.sources.identity(),
            self.root,
            recipe.script,
            recipe.output,
            recipe.build_environment,
            self.packages_key(),
        );
        workshop.layers(&key, || {
            let mut request = BaseRequest::new(SUITE, workshop.host);
            request.runtime = BUILD_ROOT.iter().map(|name| name.to_string()).collect();
            let base = base::assemble(workshop, &request)?;
            let base = workshop.trees(base.layers())?;
            let scratch = workshop.scratch()?;
            let tools = self.tools(&scratch)?;
            let installed = self.packages(&tools, &base, &scratch)?;
            let tree = scratch.directory("tree", BUILD_USER)?;
            let place = scratch.directory("tree/site", BUILD_USER)?;
            self.sources.copy_to(&place)?;
            give(&place, BUILD_USER)?;
            let out = scratch.directory("out", BUILD_USER)?;
            workshop.tell(format!("{} run {}", self.manager.tool, recipe.script));
            let mut root = base;
            root.push(installed);
            root.push(tree);
            self.run(&tools, root, &out)?;
            self.pack(&key, &out)
        })
    }

    fn run(
        &self,
        tools: &packages::Tools,
        root: Vec<PathBuf>,
        out: &Path,
    ) -> Result<(), StaticSiteError> {
        let recipe = self.recipe;
        let shown = format!("{} run {}", self.manager.tool, recipe.script);
        let mut command: Vec<String> = ["/bin/sh", "-c", SCRIPT, "sh", OUT]
            .map(str::to_string)
            .to_vec();
        command.push(recipe.output.display().to_string());
        command.extend(self.manager.run(&recipe.script));
        let mut step = self.step(tools, &shown, command);
        step.root = root;
        step.mounts.push(BindMount {
            source: out.to_path_buf(),
            target: PathBuf::from(OUT),
            access: Access::ReadWrite,
        });
        let production = ("NODE_ENV".to_string(), "production".to_string());
        step.environment.push(production);
        for (name, value) in &recipe.build_environment {
            step.environment.retain(|(known, _)| known != name);
            step.environment.push((name.clone(), value.clone()));
        }
        tracing::debug!(step = step.name, "running");
        let outcome = self.workshop.sandbox.run(&step)?;
        if outcome.out_of_memory {
            return Err(StaticSiteError::OutOfMemory {
                script: shown,
                limit: step.memory.unwrap_or_default() >> 20,
            });
        }
        let left_nothing = || StaticSiteError::NoOutput {
            script: shown.clone(),
            output: recipe.output.display().to_string(),
        };
        match outcome.exit_code {
            0 if fs::read_dir(out)?.next().is_some() => Ok(()),
            0 | LEFT_NOTHING => Err(left_nothing()),
            exit_code => Err(StaticSiteError::Script {
                script: shown,
                exit_code,
                output: last_lines(&outcome.stdout, &outcome.stderr),
            }),
        }
    }

    /// Packs what the build left: what never changes under its name, then the rest.
    fn pack(&self, key: &str, out: &Path) -> Result<Vec<ImageLayer>, StaticSiteError> {
        let store = self.workshop.store;
        let mut hashed = FileSet::new();
        let mut rest = FileSet::new();
        let place = nginx::SITE.trim_start_matches('/');
        rest.directory(place, Attributes::DIRECTORY)?;
        for (path, source) in files_below(out)? {
            let set = match nginx::is_hashed(&path) {
                true => &mut hashed,
                false => &mut rest,
            };
            let content = Content::File(source);
            set.insert(
                &format!("{place}/{path}"),
                Node::File(Attributes::FILE, content),
            )?;
        }
        let mut layers = Vec::new();
        for (name, set) in [("hashed files", &hashed), ("pages", &rest)] {
            if !set.is_empty() {
                let segment = store.put_segment(&format!("{name} of {key}"), set)?;
                let words = format!("the site's {name}");
                layers.push(layer(self.workshop, &[segment], &words)?);
            }
        }
        Ok(layers)
    }
}

fn files_below(root: &Path) -> Result<Vec<(String, PathBuf)>, StaticSiteError> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), root.to_path_buf())];
    while let Some((prefix, directory)) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let relative = format!("{prefix}{name}");
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                open.push((format!("{relative}/"), path));
            } else if metadata.is_file() {
                found.push((relative, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn config(recipe: &BuildRecipe) -> ImageConfig {
    let command = if recipe.command.is_empty() {
        [
            "/usr/sbin/nginx",
            "-e",
            "stderr",
            "-c",
            nginx::CONFIGURATION,
        ]
        .map(str::to_string)
        .to_vec()
    } else {
        recipe.command.clone()
    };
    let mut environment = vec![
        (
            "PATH".to_string(),
            "/usr/sbin:/usr/bin:/sbin:/bin".to_string(),
        ),
        ("HOME".to_string(), base::HOME.to_string()),
    ];
    environment.extend(recipe.environment.iter().cloned());
    ImageConfig {
        user: base::USER.to_string(),
        environment,
        command,
        working_dir: nginx::SITE.to_string(),
        exposed_ports: crate::python::exposed(&[nginx::PORT]),
        stop_signal: Some("SIGQUIT".to_string()),
        ..ImageConfig::default()
    }
}
