//! From a recipe to layers and a configuration.

use std::path::Path;

use fs_err as fs;
use plimsoll_model::{BuildRecipe, GoRecipe};

use super::GoError;
use super::command::{self, Go, Switch};
use super::modules::{self, Fetched};
use crate::application::{Application, Purpose};
use crate::base;
use crate::compiled::{self, Elf, Linkage, SUITE, Zig};
use crate::debian::BaseRequest;
use crate::digest::Hasher;
use crate::oci::ImageConfig;
use crate::python::BUILD_USER;
use crate::step::scratch::give;
use crate::store::ImageLayer;
use crate::toolchain::go as pins;
use crate::workshop::{Memory, Workshop};
use crate::{Digest, StepNetwork};

/// Changes whenever layers of the same inputs come out otherwise.
const RULES: &str = "go 1";

/// One build.
struct Build<'a> {
    workshop: &'a Workshop<'a>,
    recipe: &'a BuildRecipe,
    go: &'a GoRecipe,
    sources: Application,
    name: String,
}

/// Makes the layers of a program, and says how its image starts.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    go: &GoRecipe,
) -> Result<(Vec<ImageLayer>, ImageConfig), GoError> {
    let hashes = workshop.cache.join("hashes");
    let build = Build {
        sources: Application::look(&recipe.context, Purpose::BuildInput, &hashes)?,
        name: program_name(&recipe.context, go)?,
        workshop,
        recipe,
        go,
    };
    let (program, linkage) = build.program()?;
    let mut layers = compiled::base_for(workshop, recipe, linkage)?
        .layers()
        .to_vec();
    layers.extend(compiled::home_layer::<GoError>(workshop)?);
    let root = compiled::clean(&go.root);
    layers.extend(compiled::data_layers::<GoError>(
        workshop,
        &build.sources,
        &root,
        &go.data,
    )?);
    layers.extend(program);
    Ok((layers, compiled::config(recipe, &build.name)))
}

/// What people call the program: the last part of its package, or of the module for the package at
/// its root.
fn program_name(context: &Path, go: &GoRecipe) -> Result<String, GoError> {
    let package = compiled::clean(Path::new(&go.package));
    if let Some(last) = package.file_name() {
        return Ok(last.to_string_lossy().trim_end_matches(".go").to_string());
    }
    let text = fs::read_to_string(context.join(&go.root).join("go.mod"))?;
    Ok(module_name(&text).unwrap_or_else(|| "program".to_string()))
}

/// The last part of a module's path that is no version: `app` of `example.com/app/v2`.
fn module_name(manifest: &str) -> Option<String> {
    let path = manifest
        .lines()
        .find_map(|line| line.trim().strip_prefix("module "))?;
    let path = path.split("//").next()?.trim().trim_matches('"');
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    path.rsplit('/')
        .find(|part| !part.is_empty() && !is_version(part))
        .map(str::to_string)
}

impl Build<'_> {
    fn version(&self) -> Option<&str> {
        self.go.version.as_ref().map(|version| version.as_str())
    }

    /// The program's layer, built now unless these sources were built before.
    fn program(&self) -> Result<(Vec<ImageLayer>, Linkage), GoError> {
        let workshop = self.workshop;
        let zig = if self.go.cgo { Zig::version() } else { "none" };
        let key = format!(
            "{RULES} program {} {:?} {} of {} for {} by {} {:?} C by {zig}",
            self.go.root.display(),
            self.go.package,
            self.go.tags.join(","),
            self.sources.identity(),
            workshop.architecture,
            pins::pin_for(self.version()).version,
            self.version(),
        );
        let linkage_key = format!("linkage of {key}");
        let layers = workshop.layers(&key, || {
            let scratch = workshop.scratch()?;
            let out = scratch.directory("out", BUILD_USER)?;
            let copy = scratch.directory("sources", BUILD_USER)?;
            self.sources.copy_to(&copy)?;
            give(&copy, BUILD_USER)?;
            let go = self.toolbox()?;
            self.compile(&go, &copy, &out)?;
            let file = out.join("program");
            let elf = Elf::read(&file)?.ok_or_else(|| GoError::NotAProgram {
                package: self.go.package.clone(),
            })?;
            let elf = elf.check(&self.name, workshop.architecture)?;
            let is_static = elf.linkage == Linkage::Static;
            workshop.store.remember(&linkage_key, &is_static, &[])?;
            let layer = compiled::program_layer::<GoError>(workshop, &key, &self.name, &file)?;
            Ok::<_, GoError>(vec![layer])
        })?;
        let linkage = match workshop.store.recall::<bool>(&linkage_key) {
            Some(true) => Linkage::Static,
            Some(false) | None => Linkage::Dynamic,
        };
        Ok((layers, linkage))
    }

    fn toolbox(&self) -> Result<Go<'_>, GoError> {
        let workshop = self.workshop;
        let pin = pins::pin_for(self.version());
        workshop.tell(format!("Go {}", pin.version));
        let program = workshop.toolchains.go(pin, workshop.host)?.path;
        let zig = match self.go.cgo {
            true => Some(Zig::obtain::<GoError>(workshop)?),
            false => None,
        };
        let mut request = BaseRequest::new(SUITE, workshop.host);
        if !self.is_vendored() && workshop.registries.go()?.has_private_modules() {
            request.runtime = vec!["git".to_string()];
        }
        let base = base::assemble(workshop, &request)?;
        let satisfied = pins::satisfies(pin, self.version());
        let cache = workshop
            .cache
            .join("go")
            .join(match satisfied && zig.is_none() {
                // The pinned compiler is all that runs: what it leaves is good for every project.
                true => "compiled".to_string(),
                // The project's own words reach a C compiler, or name another Go.
                false => {
                    let context = self.recipe.context.as_os_str();
                    Digest::of(context.as_encoded_bytes()).short()
                }
            });
        let modules = workshop.cache.join("go/modules");
        for directory in [&cache, &modules] {
            fs::create_dir_all(directory)?;
            std::os::unix::fs::chown(directory, Some(BUILD_USER.0), Some(BUILD_USER.1))?;
        }
        Ok(Go {
            workshop,
            recipe: self.go,
            program,
            switch: match satisfied {
                true => Switch::Never,
                false => Switch::Allowed,
            },
            cache,
            modules,
            zig,
            root: workshop.trees(base.layers())?,
        })
    }

    /// Whether the project brings its modules along.
    fn is_vendored(&self) -> bool {
        let listing = compiled::clean(&self.go.root).join("vendor/modules.txt");
        let listing = listing.display().to_string();
        self.sources.files().iter().any(|file| file.path == listing)
    }

    /// Fetches what is missing, and builds.
    fn compile(&self, go: &Go<'_>, copy: &Path, out: &Path) -> Result<(), GoError> {
        let workshop = self.workshop;
        if self.is_vendored() {
            return self
                .attempt(go, copy, out, "-mod=vendor")?
                .map_err(|output| self.failed(output));
        }
        let memo = format!("{RULES} modules {}", self.modules_identity());
        let known = match workshop.memory {
            Memory::Use => workshop.store.recall::<Fetched>(&memo),
            Memory::Ignore => None,
        };
        if let Some(known) = known {
            self.mend(copy, &known)?;
            match self.attempt(go, copy, out, "-mod=readonly")? {
                Ok(()) => return Ok(()),
                Err(output) if modules::is_missing(&output) => {}
                Err(output) => return Err(self.failed(output)),
            }
        }
        // Steps that fetch write the shared directory of modules, one at a time.
        let fetched = workshop
            .locks
            .alone("go modules", || modules::fetch(go, copy))?;
        workshop.store.remember(&memo, &fetched, &[])?;
        self.mend(copy, &fetched)?;
        self.attempt(go, copy, out, "-mod=readonly")?
            .map_err(|output| self.failed(output))
    }

    fn mend(&self, copy: &Path, fetched: &Fetched) -> Result<(), GoError> {
        let root = copy.join(compiled::clean(&self.go.root));
        for (name, text) in &fetched.mended {
            fs::write(root.join(name), text)?;
        }
        Ok(())
    }

    /// What decides which modules are fetched; a new import of a known module is found out when the
    /// build fails for it.
    fn modules_identity(&self) -> Digest {
        let mut hasher = Hasher::default();
        for file in self.sources.files() {
            if let crate::application::SourceKind::File { digest, .. } = &file.kind
                && modules::is_stated_in(&file.path)
            {
                hasher.update(format!("{}\0{digest}\0", file.path).as_bytes());
            }
        }
        let rest = format!(
            "{} {:?} {} {}",
            self.go.package, self.go.tags, self.go.cgo, self.workshop.architecture
        );
        hasher.update(rest.as_bytes());
        hasher.finish()
    }

    /// Builds without a network. What `go` says when it fails is given back.
    fn attempt(
        &self,
        go: &Go<'_>,
        copy: &Path,
        out: &Path,
        mode: &str,
    ) -> Result<Result<(), Vec<String>>, GoError> {
        let package = &self.go.package;
        self.workshop.tell(format!("go build {package}"));
        let mut arguments: Vec<String> = [
            "build",
            mode,
            "-trimpath",
            "-buildvcs=false",
            "-ldflags=-s -w -buildid=",
        ]
        .map(str::to_string)
        .to_vec();
        arguments.extend(modules::tags(go));
        arguments.extend(["-o".to_string(), command::output(), package.clone()]);
        let outcome = go.run(
            &format!("go build {package}"),
            &arguments,
            copy,
            Some(out),
            StepNetwork::None,
        )?;
        Ok(match outcome.exit_code {
            0 => Ok(()),
            _ => Err(compiled::last_lines(&outcome.stdout, &outcome.stderr)),
        })
    }

    fn failed(&self, output: Vec<String>) -> GoError {
        GoError::Build {
            package: self.go.package.clone(),
            root: compiled::clean(&self.go.root),
            output,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_after_its_package_or_module() {
        let name = |text: &str| module_name(text).unwrap();
        assert_eq!(name("module example.com/team/app\n\ngo 1.24\n"), "app");
        assert_eq!(name("// x\nmodule example.com/app/v2 // y\n"), "app");
        assert_eq!(name("module \"service\"\n"), "service");
        assert_eq!(module_name("go 1.24\n"), None);
    }
}
