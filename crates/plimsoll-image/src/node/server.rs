//! From a recipe of a Node server to layers and a configuration.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::Diagnostic;
use plimsoll_model::{BuildRecipe, NodeBuild, NodeLayout, NodeServerRecipe};

use super::command::{APPLICATION, Runtimes, SHIMS, Start};
use super::installed::Installed;
use super::members::Members;
use super::pack;
use super::project::{NodeProject, SUITE, Tools};
use super::steps::{OUT, Scripts};
use super::{NodeError, clean};
use crate::application::{Application, Purpose};
use crate::base;
use crate::debian::BaseRequest;
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::oci::{Architecture, ImageConfig};
use crate::python::BUILD_USER;
use crate::step::scratch::{Scratch, give};
use crate::store::ImageLayer;
use crate::variant::Variant;
use crate::workshop::Workshop;

/// Changes whenever layers of the same inputs come out otherwise.
pub(super) const RULES: &str = "node server 1";

/// What Node's own build links to besides the foundation.
const RUNTIME: &[&str] = &["libatomic1"];

/// Runs scripts, then copies to `$1` every file that they made or changed. `$2` is the manager;
/// then follow threes: whether a failure counts (`must`), a directory, a script; with `call` in the first place the
/// words of a program.
const SCRIPT: &str = r#"
out=$1; manager=$2; shift 2
: > /tmp/plimsoll-start
sleep 0.1
while [ $# -gt 0 ]; do
  must=$1; directory=$2; script=$3; shift 3
  cd "$directory" || exit 1
  if [ "$must" = call ]; then $script; else "$manager" run "$script"; fi
  code=$?
  [ $code = 0 ] && continue
  [ "$must" = may ] || exit $code
  echo "plimsoll: $script of $directory failed with exit code $code" >&2
done
cd /site || exit 1
find . \( -path '*/node_modules/.cache' -o -path '*/node_modules/.vite' -o -path '*/.next/cache' -o -name .turbo -o -name .nx \) -prune \
  -o \( -type f -o -type l \) -cnewer /tmp/plimsoll-start -print0 | xargs -0 -r cp -a --parents -t "$out"
"#;

/// Scripts of a project that prepare its sources after packages are installed, other than hooks
/// of version control.
const PREPARING: &str = "postinstall";

/// A server to build.
pub(super) struct Server<'a> {
    pub(super) project: NodeProject<'a>,
    pub(super) recipe: &'a BuildRecipe,
    pub(super) server: &'a NodeServerRecipe,
    pub(super) members: Members,
    /// Files that may enter the image.
    pub(super) files: Application,
}

/// A script to run: whether its failure counts, and where it stands.
pub(super) struct Script {
    how: Run,
    directory: String,
    name: String,
}

/// How a script is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    /// By the manager, and whether it fails does not matter.
    May,
    /// By the manager.
    Must,
    /// It is the words of a program.
    Call,
}

impl Run {
    fn word(self) -> &'static str {
        match self {
            Self::May => "may",
            Self::Must => "must",
            Self::Call => "call",
        }
    }
}

/// Trees that take long to make, made when something needs them.
pub(super) struct Trees {
    scratch: Scratch,
    tools: Tools,
    root: Vec<PathBuf>,
}

/// Makes the layers of a server, and says how its image starts.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    server: &NodeServerRecipe,
    as_of: Option<&str>,
) -> Result<(Vec<ImageLayer>, ImageConfig), NodeError> {
    let lock = server.lock.as_deref();
    let (context, root) = (&recipe.context, &server.root);
    let mut project = NodeProject::open(workshop, context, root, server.manager, lock)?;
    if let Some(range) = &server.node {
        project.node_range = Some(range.value.clone());
    }
    project.as_of = as_of.map(str::to_string);
    let hashes = workshop.cache.join("hashes");
    let server = Server {
        members: Members::read(&project.sources),
        files: Application::look(&recipe.context, Purpose::of(workshop.variant), &hashes)?,
        project,
        recipe,
        server,
    };
    let packages = server.packages()?;
    let mut request = BaseRequest::new(SUITE, workshop.architecture);
    request.runtime = RUNTIME.iter().map(|name| name.to_string()).collect();
    request.extra = recipe
        .system_packages
        .iter()
        .map(|package| package.value.clone())
        .collect();
    request.extra.extend(packages.start.system.iter().cloned());
    request.extra.sort();
    request.extra.dedup();
    request.users = vec![base::account()];
    let mut layers = base::assemble(workshop, &request)?.layers().to_vec();
    layers.extend(server.runtimes(packages.start.runtimes)?);
    layers.extend(packages.layers);
    layers.extend(server.application(&packages.start, &packages.workspace)?);
    Ok((layers, server.config(packages.start)))
}

impl Server<'_> {
    pub(super) fn workshop(&self) -> &Workshop<'_> {
        self.project.workshop
    }

    /// Node's program, Bun's, or both.
    fn runtimes(&self, runtimes: Runtimes) -> Result<Vec<ImageLayer>, NodeError> {
        let node = || self.runtime("node", Some(self.project.node_version()));
        let bun = || self.runtime("bun", None);
        Ok(match runtimes {
            Runtimes::Node => node()?,
            Runtimes::Bun => bun()?,
            Runtimes::Both => [node()?, bun()?].concat(),
        })
    }

    fn runtime(&self, name: &str, version: Option<&str>) -> Result<Vec<ImageLayer>, NodeError> {
        let workshop = self.workshop();
        let shown = version.unwrap_or(crate::toolchain::Toolchains::version_of(name));
        let key = format!("{RULES} program {name} {shown} {}", workshop.architecture);
        workshop.layers(&key, || {
            let program = workshop
                .toolchains
                .program(name, version, workshop.architecture)?;
            let mut files = FileSet::new();
            let file = Content::File(program.path.join("bin").join(name));
            files.insert(
                &format!("usr/local/bin/{name}"),
                Node::File(Attributes::PROGRAM, file),
            )?;
            let license = program.path.join("LICENSE");
            if license.is_file() {
                let place = format!("usr/local/share/doc/{name}/LICENSE");
                files.insert(&place, Node::File(Attributes::FILE, Content::File(license)))?;
            }
            let segment = workshop.store.put_segment(&key, &files)?;
            Ok(vec![pack::layer(
                workshop,
                &[segment],
                &format!("{name} {shown}"),
            )?])
        })
    }

    pub(super) fn trees(&self) -> Result<Trees, NodeError> {
        let scratch = self.workshop().scratch()?;
        Ok(Trees {
            tools: self.project.tools(&scratch)?,
            root: self.project.build_root()?,
            scratch,
        })
    }

    /// The tree of packages for a processor.
    pub(super) fn installed(
        &self,
        trees: &Trees,
        architecture: Architecture,
    ) -> Result<PathBuf, NodeError> {
        let Trees {
            tools,
            root,
            scratch,
        } = trees;
        self.project.packages(tools, root, scratch, architecture)
    }

    /// Scripts to run before the files are packed: those of the workspace's packages that the
    /// service depends on first.
    pub(super) fn scripts(&self) -> Vec<Script> {
        let closure = self.members.closure(&self.project.root);
        let install_root = self.project.install_root().display().to_string();
        let mut scripts = Vec::new();
        let has = |manifest: &serde_json::Value, script: &str| {
            let script = manifest
                .get("scripts")
                .and_then(|all| all.get(script)?.as_str());
            script.is_some_and(|line| {
                let hooks = [
                    "husky",
                    "lefthook",
                    "simple-git-hooks",
                    "playwright install",
                ];
                !hooks.iter().any(|hook| line.contains(hook))
            })
        };
        let workspace_root = self.members.at(&install_root).filter(|member| {
            closure
                .iter()
                .all(|other| other.directory != member.directory)
        });
        for member in workspace_root.into_iter().chain(closure.iter().copied()) {
            if has(&member.manifest, PREPARING) {
                scripts.push(Script {
                    how: Run::May,
                    directory: member.directory.clone(),
                    name: PREPARING.to_string(),
                });
            }
        }
        for member in &closure {
            let own = member.directory == self.project.root;
            let (how, name) = match (own, &self.server.build) {
                (false, _) => (Run::Must, "build".to_string()),
                (true, Some(NodeBuild::Script(script))) => (Run::Must, script.clone()),
                (true, Some(NodeBuild::Program(words))) => (Run::Call, words.join(" ")),
                (true, None) => continue,
            };
            if own || has(&member.manifest, &name) {
                scripts.push(Script {
                    how,
                    directory: member.directory.clone(),
                    name,
                });
            }
        }
        scripts
    }

    /// The application's files, built now unless these sources were built before.
    fn application(
        &self,
        start: &Start,
        workspace: &BTreeSet<String>,
    ) -> Result<Vec<ImageLayer>, NodeError> {
        let workshop = self.workshop();
        let scripts = self.scripts();
        let closure = self.members.closure(&self.project.root);
        let sources = self
            .project
            .sources
            .only(|path| self.members.owns(&closure, path) || self.members.belongs_to_nobody(path));
        let files = self.files.only(|path| {
            self.members
                .owned_by(path)
                .is_some_and(|own| workspace.contains(own))
        });
        let steps: Vec<String> = scripts
            .iter()
            .map(|script| format!("{} in {}", script.name, script.directory))
            .collect();
        let key = format!(
            "{RULES} application {} {} {} {:?} {:?} {:?} {:?}{} on {}{}",
            sources.identity(),
            files.identity(),
            self.project.root,
            self.server.layout,
            self.server.build_environment,
            steps,
            start.shims,
            match workshop.variant.has_tools() {
                true => " with tools",
                false => "",
            },
            self.project.packages_key(workshop.host),
            self.project.network_key(),
        );
        workshop.layers(&key, || {
            let scratch = workshop.scratch()?;
            let out = scratch.directory("out", BUILD_USER)?;
            if !scripts.is_empty() {
                self.run(&scripts, &sources, &out)?;
            }
            let built = Built {
                out: &out,
                files: &files,
                members: &self.members,
                workspace,
            };
            let mut set = match &self.server.layout {
                NodeLayout::Application => {
                    let installed = self.installed_places(workspace, start)?;
                    built.application(&installed)?
                }
                NodeLayout::Standalone { directories } => {
                    built.standalone(&self.project.root, directories, &self.shown())?
                }
            };
            for (name, text) in &start.shims {
                let place = format!("{}/{name}", SHIMS.trim_start_matches('/'));
                set.file(&place, Attributes::PROGRAM, text.clone())?;
            }
            if workshop.variant.has_tools() {
                self.writable(&mut set)?;
            }
            if set.is_empty() {
                return Ok(Vec::new());
            }
            let segments = workshop.store.put_segments(set)?;
            Ok(vec![pack::layer(workshop, &segments, "application")?])
        })
    }

    /// Development servers and test runners keep what they compile among the sources.
    fn writable(&self, set: &mut FileSet) -> Result<(), NodeError> {
        let own = Attributes::DIRECTORY.owned_by(base::USER_ID, base::USER_ID);
        let mut places = vec![String::new(), self.project.root.clone()];
        places.dedup();
        for place in places {
            let at = clean(&Path::new(APPLICATION.trim_start_matches('/')).join(place));
            set.directory(&at, own)?;
            for name in [
                ".next",
                "node_modules",
                "node_modules/.vite",
                "node_modules/.vite-temp",
            ] {
                set.directory(&format!("{at}/{name}"), own)?;
            }
        }
        Ok(())
    }

    /// Directories of the production packages, to tell what a build changed among them.
    fn installed_places(
        &self,
        workspace: &BTreeSet<String>,
        start: &Start,
    ) -> Result<BTreeSet<String>, NodeError> {
        if workspace.is_empty() || self.scripts().is_empty() {
            return Ok(BTreeSet::new());
        }
        let trees = self.trees()?;
        let tree = self.installed(&trees, self.workshop().host)?;
        let installed = Installed {
            site: &tree.join("site"),
            architecture: self.workshop().host,
        };
        let closure = installed.closure(&self.members, &self.project.root, &start.packages);
        Ok(closure.packages.into_keys().collect())
    }

    fn shown(&self) -> String {
        let usual = NodeBuild::Script("build".to_string());
        let build = self.server.build.as_ref().unwrap_or(&usual);
        self.project.manager.shown(build)
    }

    fn run(&self, scripts: &[Script], sources: &Application, out: &Path) -> Result<(), NodeError> {
        let trees = self.trees()?;
        let installed = self.installed(&trees, self.workshop().host)?;
        let tree = trees.scratch.directory("tree", BUILD_USER)?;
        let site = trees.scratch.directory("tree/site", BUILD_USER)?;
        sources.copy_to(&site)?;
        give(&site, BUILD_USER)?;
        self.project.adopt_lock(&installed, &site)?;
        let mut command: Vec<String> = ["/bin/sh", "-c", SCRIPT, "sh", OUT]
            .map(str::to_string)
            .to_vec();
        command.push(self.project.manager.name().to_string());
        for script in scripts {
            command.push(script.how.word().to_string());
            command.push(super::project::place(&script.directory));
            command.push(script.name.clone());
        }
        let shown = self.shown();
        self.workshop().tell(shown.clone());
        let mut root = trees.root.clone();
        root.push(installed);
        root.push(tree);
        let scripts = Scripts {
            shown: &shown,
            command,
            root,
            out,
            environment: &self.server.build_environment,
        };
        let ended = self.project.run_scripts(&trees.tools, scripts)?;
        let failed = |line: &&String| line.starts_with("plimsoll: ");
        for line in ended.output.iter().filter(failed) {
            self.project
                .notice(Diagnostic::warning(line["plimsoll: ".len()..].to_string()));
        }
        match ended.exit_code {
            0 => Ok(()),
            exit_code => Err(NodeError::Script {
                script: shown,
                exit_code,
                output: ended.output,
            }),
        }
    }

    fn config(&self, start: Start) -> ImageConfig {
        let path = match start.shims.is_empty() {
            true => "/usr/local/bin:/usr/bin:/bin".to_string(),
            false => format!("{SHIMS}:/usr/local/bin:/usr/bin:/bin"),
        };
        let mut environment: Vec<(String, String)> = [
            ("PATH", path.as_str()),
            (
                "NODE_ENV",
                match self.workshop().variant {
                    Variant::Dev => "development",
                    Variant::Test => "test",
                    _ => "production",
                },
            ),
            ("HOME", base::HOME),
            ("LANG", "C.UTF-8"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec();
        for (name, value) in &self.recipe.environment {
            environment.retain(|(known, _)| known != name);
            environment.push((name.clone(), value.clone()));
        }
        ImageConfig {
            user: base::USER.to_string(),
            environment,
            command: start.command,
            working_dir: Path::new(APPLICATION)
                .join(&self.recipe.working_dir)
                .display()
                .to_string(),
            exposed_ports: crate::python::exposed(&self.recipe.ports),
            ..ImageConfig::default()
        }
    }
}

/// What a build left, beside the sources.
struct Built<'b> {
    out: &'b Path,
    files: &'b Application,
    members: &'b Members,
    workspace: &'b BTreeSet<String>,
}

impl Built<'_> {
    /// The sources of the packages, and what the build made or changed of them and of production
    /// packages.
    fn application(&self, packages: &BTreeSet<String>) -> Result<FileSet, NodeError> {
        let place = APPLICATION.trim_start_matches('/');
        let mut set = self.files.file_set(place)?;
        for (path, source) in pack::files_below(self.out)? {
            let own = || {
                let owner = self.members.owned_by(&path);
                owner.is_some_and(|own| self.workspace.contains(own))
            };
            let counts = match pack::package_of(&path) {
                Some(package) => pack::belongs(package, packages) || self.is_output(&path) && own(),
                None => own(),
            };
            if counts && !is_secret(&path) {
                put(&mut set, &format!("{place}/{path}"), &source)?;
            }
        }
        Ok(set)
    }

    /// Whether a file of a package was installed beside a manifest that the build wrote, as a part of its output.
    fn is_output(&self, path: &str) -> bool {
        let Some((above, _)) = path.split_once("/node_modules/") else {
            return false;
        };
        self.members.at(above).is_none() && self.out.join(above).join("package.json").is_file()
    }

    /// Directories that hold all they need.
    fn standalone(
        &self,
        root: &str,
        directories: &[(PathBuf, PathBuf)],
        script: &str,
    ) -> Result<FileSet, NodeError> {
        let place = APPLICATION.trim_start_matches('/');
        let made = pack::files_below(self.out)?;
        let mut set = FileSet::new();
        set.directory(place, Attributes::DIRECTORY)?;
        for (index, (from, to)) in directories.iter().enumerate() {
            let from = clean(&Path::new(root).join(clean(from)));
            let to = clean(&Path::new(place).join(clean(to)));
            let inside =
                |path: &str| Some(path.strip_prefix(&from)?.strip_prefix('/')?.to_string());
            let mut any = false;
            for file in self.files.files() {
                if let Some(rest) = inside(&file.path) {
                    put(&mut set, &format!("{to}/{rest}"), &self.files.place(file))?;
                    any = true;
                }
            }
            for (path, source) in &made {
                if let Some(rest) = inside(path).filter(|rest| !is_secret(rest)) {
                    put(&mut set, &format!("{to}/{rest}"), source)?;
                    any = true;
                }
            }
            if index == 0 && !any {
                return Err(NodeError::NoOutput {
                    script: script.to_string(),
                    output: from,
                });
            }
        }
        Ok(set)
    }
}

/// Files with secrets, which builds copy beside what they make.
fn is_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == ".env" || name.starts_with(".env.") && !name.ends_with(".example")
}

/// Puts a file or link in, in the place of one that is there.
fn put(set: &mut FileSet, place: &str, source: &Path) -> Result<(), NodeError> {
    let metadata = fs::symlink_metadata(source)?;
    set.remove(place);
    if metadata.is_symlink() {
        let target = fs::read_link(source)?;
        let target = target.to_string_lossy();
        let target = target.replacen(super::project::SITE, APPLICATION, 1);
        set.symlink(place, &target)?;
        return Ok(());
    }
    let attributes = match metadata.permissions().mode() & 0o100 {
        0 => Attributes::FILE,
        _ => Attributes::PROGRAM,
    };
    set.insert(
        place,
        Node::File(attributes, Content::File(source.to_path_buf())),
    )?;
    Ok(())
}
