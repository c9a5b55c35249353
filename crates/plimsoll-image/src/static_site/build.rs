//! From a recipe to layers and a configuration.

use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use plimsoll_model::{BuildRecipe, NodeBuild, Pages, SiteProxy, StaticSiteRecipe};

use super::nginx;
use crate::application::{Application, Purpose, SourceKind};
use crate::base;
use crate::debian::BaseRequest;
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::node::{NodeError, NodeProject, OUT, SITE, SUITE, Scripts, clean, files_below};
use crate::oci::ImageConfig;
use crate::python::BUILD_USER;
use crate::step::scratch::{Scratch, give};
use crate::store::{ImageLayer, Segment};
use crate::workshop::Workshop;

/// Changes whenever layers of the same inputs come out otherwise.
const RULES: &str = "static site 1";

/// What serves the site.
const SERVER: &[&str] = &["nginx"];

/// What it depends on for its maintainer scripts alone.
const UNUSED: &[&str] = &["iproute2"];

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
struct Site<'a> {
    recipe: &'a StaticSiteRecipe,
    workshop: &'a Workshop<'a>,
    context: &'a Path,
    /// Where the files are in the image, without the leading `/`.
    place: String,
    as_of: Option<&'a str>,
}

/// Makes the layers of a site, and says how its image starts.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    site: &StaticSiteRecipe,
    as_of: Option<&str>,
) -> Result<(Vec<ImageLayer>, ImageConfig), NodeError> {
    let site = Site {
        recipe: site,
        workshop,
        context: &recipe.context,
        place: clean(Path::new(nginx::SITE)),
        as_of,
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
    layers.extend(configuration(workshop, &site.recipe.proxies)?);
    layers.extend(site.files()?);
    Ok((layers, config(recipe)))
}

/// Makes the layers of pages that a server of another kind hands out.
pub(crate) fn pages(
    workshop: &Workshop<'_>,
    pages: &Pages,
    as_of: Option<&str>,
) -> Result<Vec<ImageLayer>, NodeError> {
    let site = Site {
        recipe: &pages.site,
        workshop,
        context: &pages.context,
        place: clean(&pages.place),
        as_of,
    };
    site.files()
}

/// The server's configuration as a layer.
fn configuration(
    workshop: &Workshop<'_>,
    proxies: &[SiteProxy],
) -> Result<Vec<ImageLayer>, NodeError> {
    let text = nginx::configuration(proxies);
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
) -> Result<ImageLayer, NodeError> {
    Ok(ImageLayer {
        layer: workshop.store.commit_layer(segments)?,
        created_by: created_by.to_string(),
    })
}

impl Site<'_> {
    /// The site's files.
    fn files(&self) -> Result<Vec<ImageLayer>, NodeError> {
        match &self.recipe.build {
            Some(by) => self.built(by),
            None => self.as_they_are(),
        }
    }

    /// What tells these files from the same ones elsewhere.
    fn elsewhere(&self) -> String {
        match self.place == clean(Path::new(nginx::SITE)) {
            true => String::new(),
            false => format!(" at {}", self.place),
        }
    }

    /// The files as they stand in the context.
    fn as_they_are(&self) -> Result<Vec<ImageLayer>, NodeError> {
        let hashes = self.workshop.cache.join("hashes");
        let place = clean(&self.recipe.root.join(&self.recipe.output));
        let sources = Application::look(self.context, Purpose::Image, &hashes)?;
        let below = |path: &str| {
            let rest = match place.as_str() {
                "" => path,
                place => path.strip_prefix(place)?.strip_prefix('/')?,
            };
            Some(rest.to_string())
        };
        let sources = sources.only(|path| below(path).is_some());
        let key = format!(
            "{RULES} files {} in {place}{}",
            sources.identity(),
            self.elsewhere()
        );
        self.workshop.layers(&key, || {
            let files: Vec<(String, PathBuf)> = sources
                .files()
                .iter()
                .filter(|file| matches!(file.kind, SourceKind::File { .. }))
                .filter_map(|file| Some((below(&file.path)?, sources.place(file))))
                .collect();
            if files.is_empty() {
                return Err(NodeError::NoFiles {
                    place: place.clone(),
                });
            }
            self.pack(files)
        })
    }

    /// What a build makes, made now unless these sources were built before.
    fn built(&self, by: &NodeBuild) -> Result<Vec<ImageLayer>, NodeError> {
        let workshop = self.workshop;
        let recipe = self.recipe;
        let lock = recipe.lock.as_deref();
        let (root, manager) = (&recipe.root, recipe.manager);
        let mut project = NodeProject::open(workshop, self.context, root, manager, lock)?;
        project.as_of = self.as_of.map(str::to_string);
        // Where the files come to lie in the step.
        let left = lexical(&Path::new(SITE).join(root).join(&recipe.output));
        let package = lexical(&Path::new(SITE).join(root));
        // What an earlier build left beside the package is no source of this one.
        if let Ok(own) = left.strip_prefix(SITE)
            && !left.starts_with(&package)
            && !package.starts_with(&left)
        {
            let own = own.display().to_string();
            project.sources = project.sources.only(|path| {
                let rest = path.strip_prefix(&own);
                !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
        }
        let key = format!(
            "{RULES} of {} {} {:?} {:?} {:?} with {}{}{}",
            project.sources.identity(),
            project.root,
            recipe.build,
            recipe.output,
            recipe.build_environment,
            project.packages_key(workshop.host),
            self.elsewhere(),
            project.network_key(),
        );
        workshop.layers(&key, || {
            let base = project.build_root()?;
            let scratch = workshop.scratch()?;
            let tools = project.tools(&scratch)?;
            let installed = project.packages(&tools, &base, &scratch, workshop.host)?;
            let tree = scratch.directory("tree", BUILD_USER)?;
            let place = scratch.directory("tree/site", BUILD_USER)?;
            project.sources.copy_to(&place)?;
            give(&place, BUILD_USER)?;
            project.adopt_lock(&installed, &place)?;
            if !left.starts_with(SITE) {
                outside(&scratch, &base, &left)?;
            }
            let out = scratch.directory("out", BUILD_USER)?;
            let shown = project.manager.shown(by);
            workshop.tell(shown.clone());
            let mut root = base;
            root.push(installed);
            root.push(tree);
            let mut command: Vec<String> = ["/bin/sh", "-c", SCRIPT, "sh", OUT]
                .map(str::to_string)
                .to_vec();
            command.push(recipe.output.display().to_string());
            command.extend(project.manager.build(by));
            let scripts = Scripts {
                shown: &shown,
                command,
                root,
                out: &out,
                environment: &recipe.build_environment,
            };
            let ended = project.run_scripts(&tools, scripts)?;
            let empty = fs::read_dir(&out)?.next().is_none();
            match ended.exit_code {
                0 if !empty => self.pack(files_below(&out)?),
                0 | LEFT_NOTHING => Err(NodeError::NoOutput {
                    script: shown,
                    output: recipe.output.display().to_string(),
                }),
                exit_code => Err(NodeError::Script {
                    script: shown,
                    exit_code,
                    output: ended.output,
                }),
            }
        })
    }

    /// Packs what the build left: what never changes under its name, then the rest.
    fn pack(&self, files: Vec<(String, PathBuf)>) -> Result<Vec<ImageLayer>, NodeError> {
        let store = self.workshop.store;
        let mut hashed = FileSet::new();
        let mut rest = FileSet::new();
        let place = &self.place;
        rest.directory(place, Attributes::DIRECTORY)?;
        for (path, source) in files {
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
        for (name, set) in [("hashed files", hashed), ("pages", rest)] {
            if !set.is_empty() {
                let segments = store.put_segments(set)?;
                let words = format!("the site's {name}");
                layers.push(layer(self.workshop, &segments, &words)?);
            }
        }
        Ok(layers)
    }
}

/// An absolute path without `.` and without what goes up and down again.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(part) => plain.push(part),
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// Makes a directory outside of the sources that a build may write to, where the system has none of that name.
fn outside(scratch: &Scratch, base: &[PathBuf], directory: &Path) -> std::io::Result<()> {
    let Ok(inside) = directory.strip_prefix("/") else {
        return Ok(());
    };
    let Some(top) = inside.components().next() else {
        return Ok(());
    };
    let is_system = |tree: &PathBuf| tree.join(top).symlink_metadata().is_ok();
    if base.iter().any(is_system) {
        return Ok(());
    }
    fs::create_dir_all(scratch.path().join("tree").join(inside))?;
    give(&scratch.path().join("tree").join(top), BUILD_USER)
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
