//! From a recipe to layers and a configuration.

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_model::{BuildRecipe, RustRecipe};

use super::RustError;
use super::audit::{self, Crates};
use super::choice;
use super::command::Cargo;
use super::configuration;
use super::crates::{self, Fetched};
use super::linking;
use super::sources;
use super::toolchain::{Library, Toolchain};
use crate::application::{Application, Purpose, SourceKind};
use crate::base;
use crate::compiled::{self, Elf, Linkage, SUITE, Zig};
use crate::debian::BaseRequest;
use crate::digest::Hasher;
use crate::oci::ImageConfig;
use crate::python::BUILD_USER;
use crate::step::scratch::{Scratch, give};
use crate::store::ImageLayer;
use crate::workshop::{Memory, Workshop};
use crate::{Digest, StepNetwork};

/// Changes whenever layers of the same inputs come out otherwise.
const RULES: &str = "rust 1";

/// Packages that every build root has: what the compiler is linked with, and a shell for linkers.
const ROOT: &[&str] = &["zlib1g", "dash"];

/// Programs that build scripts of crates call, by the crate: the packages that have them.
const TOOLS: &[(&str, &[&str])] = &[
    ("prost-build", &["protobuf-compiler"]),
    ("protobuf-codegen", &["protobuf-compiler"]),
    ("cmake", &["cmake", "make"]),
    ("openssl-src", &["perl", "make", "coreutils"]),
    (
        "tikv-jemalloc-sys",
        &["make", "coreutils", "sed", "grep", "mawk"],
    ),
];

/// One build.
struct Build<'a> {
    workshop: &'a Workshop<'a>,
    recipe: &'a BuildRecipe,
    rust: &'a RustRecipe,
    sources: Application,
    toolchain: Toolchain,
    library: Library,
    flags: Vec<String>,
}

/// Makes the layers of a program, and says how its image starts.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    rust: &RustRecipe,
) -> Result<(Vec<ImageLayer>, ImageConfig), RustError> {
    let hashes = workshop.cache.join("hashes");
    let root = compiled::clean(&rust.root);
    let place = recipe.context.join(&root);
    let choice = choice::choose(workshop, &place)?;
    let (toolchain, library) = (choice.toolchain, choice.library);
    let build = Build {
        sources: Application::look(&recipe.context, Purpose::BuildInput, &hashes)?,
        flags: configuration::project_flags(&place, &library.target(workshop.architecture)),
        toolchain,
        library,
        workshop,
        recipe,
        rust,
    };
    let (program, linkage) = build.program()?;
    let mut layers = compiled::base_for(workshop, recipe, linkage)?
        .layers()
        .to_vec();
    layers.extend(compiled::home_layer::<RustError>(workshop)?);
    layers.extend(compiled::data_layers::<RustError>(
        workshop,
        &build.sources,
        &root,
        &rust.data,
    )?);
    layers.extend(program);
    Ok((layers, compiled::config(recipe, &rust.binary)))
}

impl Build<'_> {
    /// The program's layer, built now unless these sources were built before.
    fn program(&self) -> Result<(Vec<ImageLayer>, Linkage), RustError> {
        let workshop = self.workshop;
        let rust = self.rust;
        let key = format!(
            "{RULES} program {} {:?} {:?} {} of {} for {} {:?} by {} {} Zig {}",
            rust.root.display(),
            rust.package,
            rust.binary,
            rust.features.join(","),
            self.sources.identity(),
            workshop.architecture,
            self.library,
            self.toolchain.identity,
            linking::RULES,
            Zig::version(),
        );
        let linkage_key = format!("linkage of {key}");
        let layers = workshop.layers(&key, || {
            let project = Digest::of(self.recipe.context.as_os_str().as_encoded_bytes());
            let name = format!("rust target {}", project.short());
            // Programs of one workspace share what is compiled, one after another.
            let (elf, layer) = workshop.locks.alone(&name, || self.built(&key, &project))?;
            let is_static = elf.linkage == Linkage::Static;
            workshop.store.remember(&linkage_key, &is_static, &[])?;
            Ok::<_, RustError>(vec![layer])
        })?;
        let linkage = match workshop.store.recall::<bool>(&linkage_key) {
            Some(true) => Linkage::Static,
            Some(false) | None => Linkage::Dynamic,
        };
        Ok((layers, linkage))
    }

    fn built(&self, key: &str, project: &Digest) -> Result<(Elf, ImageLayer), RustError> {
        let workshop = self.workshop;
        let scratch = workshop.scratch()?;
        let copy = scratch.directory("sources", BUILD_USER)?;
        let cache = workshop.cache.join("rust").join(project.short());
        fs::create_dir_all(&cache)?;
        let now = workshop.debian.settings.now;
        sources::copy(&self.sources, &copy, &cache.join("times.json"), now)?;
        give(&copy, BUILD_USER)?;
        let mut cargo = self.toolbox(&scratch, &cache)?;
        cargo.prepare()?;
        self.compile(&mut cargo, &copy)?;
        let not_a_program = || RustError::NotAProgram {
            binary: self.rust.binary.clone(),
        };
        let file = cargo.program()?;
        let elf = Elf::read(&file)?.ok_or_else(not_a_program)?;
        let elf = elf.check(&self.rust.binary, workshop.architecture)?;
        let crates = self.crates(&cargo, &copy)?;
        let whole = audit::with_list(&fs::read(file)?, &crates).ok_or_else(not_a_program)?;
        let whole_file = scratch.path().join("program");
        fs::write(&whole_file, whole)?;
        let name = &self.rust.binary;
        let layer = compiled::program_layer::<RustError>(workshop, key, name, &whole_file)?;
        Ok((elf, layer))
    }

    fn toolbox(&self, scratch: &Scratch, cache: &Path) -> Result<Cargo<'_>, RustError> {
        let workshop = self.workshop;
        let zig = Zig::obtain::<RustError>(workshop)?;
        let target = cache.join("target");
        let home = workshop.cache.join("rust/crates");
        for directory in [&target, &home] {
            fs::create_dir_all(directory)?;
            std::os::unix::fs::chown(directory, Some(BUILD_USER.0), Some(BUILD_USER.1))?;
        }
        Ok(Cargo {
            workshop,
            recipe: self.rust,
            toolchain: self.toolchain.clone(),
            library: self.library,
            home,
            target,
            linkers: scratch.directory("linkers", BUILD_USER)?,
            configurations: scratch.directory("configurations", BUILD_USER)?,
            zig,
            flags: self.flags.clone(),
            root: self.build_root("")?,
        })
    }

    /// The trees that steps run on: with the programs that crates of this lock file call.
    fn build_root(&self, lock: &str) -> Result<Vec<PathBuf>, RustError> {
        let mut request = BaseRequest::new(SUITE, self.workshop.host);
        request.runtime = ROOT.iter().map(|name| (*name).to_string()).collect();
        for (name, packages) in TOOLS {
            if lock
                .lines()
                .any(|line| line == format!("name = \"{name}\""))
            {
                for package in *packages {
                    if !request.runtime.iter().any(|known| known == package) {
                        request.runtime.push((*package).to_string());
                    }
                }
            }
        }
        let base = base::assemble(self.workshop, &request)?;
        Ok(self.workshop.trees(base.layers())?)
    }

    fn lock(&self) -> PathBuf {
        compiled::clean(&self.rust.root).join("Cargo.lock")
    }

    /// Fetches what is missing, and builds.
    fn compile(&self, cargo: &mut Cargo<'_>, copy: &Path) -> Result<(), RustError> {
        let workshop = self.workshop;
        let memo = format!("{RULES} crates {}", self.crates_identity());
        let known = match workshop.memory {
            Memory::Use => workshop.store.recall::<Fetched>(&memo),
            Memory::Ignore => None,
        };
        if let Some(known) = known {
            self.settle(cargo, copy, &known)?;
            match self.attempt(cargo, copy)? {
                Ok(()) => return Ok(()),
                Err(output) if crates::is_missing(&output) => {}
                Err(output) => return Err(self.failed(output)),
            }
        }
        // Steps that fetch write the shared directory of crates, one at a time.
        let fetched = workshop
            .locks
            .alone("crates", || crates::fetch(cargo, copy))?;
        workshop.store.remember(&memo, &fetched, &[])?;
        self.settle(cargo, copy, &fetched)?;
        self.attempt(cargo, copy)?
            .map_err(|output| self.failed(output))
    }

    /// Puts the lock file in place that counts, and what its crates call.
    fn settle(
        &self,
        cargo: &mut Cargo<'_>,
        copy: &Path,
        fetched: &Fetched,
    ) -> Result<(), RustError> {
        let place = copy.join(self.lock());
        if let Some(text) = &fetched.lock {
            fs::write(&place, text)?;
        }
        cargo.root = self.build_root(&fs::read_to_string(&place).unwrap_or_default())?;
        Ok(())
    }

    /// What decides which crates are fetched.
    fn crates_identity(&self) -> Digest {
        let mut hasher = Hasher::default();
        for file in self.sources.files() {
            if let SourceKind::File { digest, .. } = &file.kind
                && crates::is_stated_in(&file.path)
            {
                hasher.update(format!("{}\0{digest}\0", file.path).as_bytes());
            }
        }
        let rest = format!("{} {:?}", self.workshop.architecture, self.library);
        hasher.update(rest.as_bytes());
        hasher.finish()
    }

    /// What chooses the program among those of the workspace.
    fn selection(&self) -> Vec<String> {
        let mut words = vec!["--package".to_string(), self.rust.package.clone()];
        if !self.rust.features.is_empty() {
            words.extend(["--features".to_string(), self.rust.features.join(",")]);
        }
        words
    }

    /// Builds without a network. What `cargo` says when it fails is given back.
    fn attempt(
        &self,
        cargo: &Cargo<'_>,
        copy: &Path,
    ) -> Result<Result<(), Vec<String>>, RustError> {
        let binary = &self.rust.binary;
        self.workshop.tell(format!("cargo build --bin {binary}"));
        let mut arguments: Vec<String> = ["build", "--release", "--locked", "--offline", "--quiet"]
            .map(str::to_string)
            .to_vec();
        arguments.extend(["--target".to_string(), cargo.target_name()]);
        arguments.extend(self.selection());
        arguments.extend(["--bin".to_string(), binary.clone()]);
        let outcome = cargo.run("cargo build", &arguments, copy, StepNetwork::None)?;
        Ok(match outcome.exit_code {
            0 => Ok(()),
            _ => Err(telling(compiled::last_lines(
                &outcome.stdout,
                &outcome.stderr,
            ))),
        })
    }

    /// The list of the program's crates, packed.
    fn crates(&self, cargo: &Cargo<'_>, copy: &Path) -> Result<Vec<u8>, RustError> {
        let tree = |edges: &str| -> Result<Crates, RustError> {
            let mut arguments: Vec<String> = [
                "tree",
                "--locked",
                "--offline",
                "--quiet",
                "--prefix",
                "depth",
                "--format",
                "{p}",
                "--edges",
                edges,
            ]
            .map(str::to_string)
            .to_vec();
            arguments.extend(["--target".to_string(), cargo.target_name()]);
            arguments.extend(self.selection());
            let outcome = cargo.run("cargo tree", &arguments, copy, StepNetwork::None)?;
            if outcome.exit_code != 0 {
                return Err(self.failed(compiled::last_lines(&[], &outcome.stderr)));
            }
            Ok(Crates::parse(&String::from_utf8_lossy(&outcome.stdout)))
        };
        let linked = tree("normal,no-proc-macro")?;
        Ok(linked.packed(&tree("normal,build")?)?)
    }

    fn failed(&self, output: Vec<String>) -> RustError {
        RustError::Build {
            binary: self.rust.binary.clone(),
            root: compiled::clean(&self.rust.root),
            output,
        }
    }
}

/// The lines of a failed build that tell something: build scripts say at length what they read.
fn telling(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .filter(|line| {
            let line = line.trim_start();
            let is_read = line.ends_with("= None") || line.contains(" = Some(");
            !is_read && !line.starts_with("cargo:rerun-if")
        })
        .collect()
}
