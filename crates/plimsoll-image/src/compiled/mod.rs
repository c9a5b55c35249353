//! What images of compiled programs share: the base that fits what a program needs, the program
//! and the files it reads as layers, and how the image starts.

mod c_program;
mod elf;
mod zig;

use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_model::BuildRecipe;

use crate::application::{Application, ContextError, SourceKind};
use crate::base::{self, Base};
use crate::debian::{BaseRequest, DebianError, Foundation, Suite};
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::oci::ImageConfig;
use crate::python::BUILD_USER;
use crate::store::{ImageLayer, StoreError};
use crate::workshop::Workshop;
use crate::{Step, StepNetwork};

pub(crate) use c_program::CProgram;
pub use c_program::CProgramError;
pub(crate) use elf::{Elf, Linkage, NotForTarget};
pub(crate) use zig::{Target, Zig};

/// The Debian release of bases and build roots.
pub(crate) const SUITE: Suite = Suite::Trixie;

/// Where the program is in the image.
const PROGRAMS: &str = "/usr/local/bin";

/// Where the program starts, and finds its files.
const APPLICATION: &str = "/app";

/// How long one step may take.
const LONGEST: Duration = Duration::from_secs(3600);

/// Memory that one step may use.
pub(crate) const MEMORY: u64 = 8 << 30;

/// Processes that one step may have.
const PROCESSES: u32 = 4096;

/// A step that sees nothing: what differs is filled in.
pub(crate) fn step() -> Step {
    Step {
        name: String::new(),
        root: Vec::new(),
        mounts: Vec::new(),
        command: Vec::new(),
        environment: Vec::new(),
        working_dir: PathBuf::from("/"),
        network: StepNetwork::None,
        user: BUILD_USER,
        timeout: LONGEST,
        memory: Some(MEMORY),
        pids: Some(PROCESSES),
    }
}

/// Where a program called `name` is in its image.
pub(crate) fn place_of(name: &str) -> String {
    format!("{PROGRAMS}/{name}")
}

/// The base that a program needs.
pub(crate) fn base_for(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    linkage: Linkage,
) -> Result<Base, DebianError> {
    let mut request = BaseRequest::new(SUITE, workshop.architecture);
    request.extra = recipe
        .system_packages
        .iter()
        .map(|package| package.value.clone())
        .collect();
    request.foundation = match linkage {
        // Packages that run have libraries of their own below them.
        Linkage::Static if request.extra.is_empty() => Foundation::DataOnly,
        Linkage::Static | Linkage::Dynamic => Foundation::Libraries,
    };
    request.users = vec![base::account()];
    base::assemble(workshop, &request)
}

/// The layer of a program that a step has left at `file`.
pub(crate) fn program_layer<E>(
    workshop: &Workshop<'_>,
    key: &str,
    name: &str,
    file: &Path,
) -> Result<ImageLayer, E>
where
    E: From<StoreError> + From<ContextError>,
{
    let mut files = FileSet::new();
    let place = place_of(name);
    let node = Node::File(Attributes::PROGRAM, Content::File(file.to_path_buf()));
    files
        .insert(place.trim_start_matches('/'), node)
        .map_err(ContextError::from)?;
    let segment = workshop
        .store
        .put_segment(&format!("program of {key}"), &files)?;
    Ok(ImageLayer {
        layer: workshop.store.commit_layer(&[segment])?,
        created_by: format!("program {name}"),
    })
}

/// The layer of the files that a program reads: `data` are paths below the context, `root` is the
/// directory that they are opened from.
pub(crate) fn data_layers<E>(
    workshop: &Workshop<'_>,
    sources: &Application,
    root: &Path,
    data: &[PathBuf],
) -> Result<Vec<ImageLayer>, E>
where
    E: From<StoreError> + From<ContextError>,
{
    let mut files = FileSet::new();
    let top = APPLICATION.trim_start_matches('/');
    let chosen = sources.files().iter().filter(|file| {
        data.iter()
            .any(|path| Path::new(&file.path).starts_with(path))
    });
    let mut identity = crate::Hasher::default();
    for file in chosen {
        let relative = Path::new(&file.path);
        let relative = relative.strip_prefix(root).unwrap_or(relative);
        let place = format!("{top}/{}", relative.display());
        let node = match &file.kind {
            SourceKind::File {
                executable, digest, ..
            } => {
                identity.update(format!("{place}\0{executable}\0{digest}\0").as_bytes());
                let attributes = if *executable {
                    Attributes::PROGRAM
                } else {
                    Attributes::FILE
                };
                Node::File(attributes, Content::Seen(sources.place(file), *digest))
            }
            SourceKind::Symlink { target } => {
                identity.update(format!("{place}\0link\0{target}\0").as_bytes());
                Node::Symlink(Attributes::root(0o777), target.clone())
            }
        };
        files.insert(&place, node).map_err(ContextError::from)?;
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let key = format!("files of a compiled program {}", identity.finish());
    workshop.layers(&key, || {
        let segment = workshop.store.put_segment(&key, &files)?;
        Ok(vec![ImageLayer {
            layer: workshop.store.commit_layer(&[segment])?,
            created_by: "the application's files".to_string(),
        }])
    })
}

/// An empty directory for the program to start in, which belongs to its user.
pub(crate) fn home_layer<E>(workshop: &Workshop<'_>) -> Result<Vec<ImageLayer>, E>
where
    E: From<StoreError> + From<ContextError>,
{
    let key = "directory of a compiled program 1";
    workshop.layers(key, || {
        let mut files = FileSet::new();
        let owned = Attributes::DIRECTORY.owned_by(65532, 65532);
        files
            .directory(APPLICATION.trim_start_matches('/'), owned)
            .map_err(ContextError::from)?;
        let segment = workshop.store.put_segment(key, &files)?;
        Ok(vec![ImageLayer {
            layer: workshop.store.commit_layer(&[segment])?,
            created_by: "the application's directory".to_string(),
        }])
    })
}

/// How the image of a program called `name` starts.
pub(crate) fn config(recipe: &BuildRecipe, name: &str) -> ImageConfig {
    let program = place_of(name);
    let mut environment: Vec<(String, String)> = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", base::HOME),
        ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
    ]
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .to_vec();
    for (name, value) in &recipe.environment {
        environment.retain(|(known, _)| known != name);
        environment.push((name.clone(), value.clone()));
    }
    let arguments = match recipe.command.split_first() {
        Some((first, rest)) if *first == program => rest,
        _ => &recipe.command[..],
    };
    let working_dir = Path::new(APPLICATION).join(clean(&recipe.working_dir));
    let working_dir = working_dir.display().to_string();
    ImageConfig {
        user: base::USER.to_string(),
        environment,
        entrypoint: vec![program],
        command: arguments.to_vec(),
        working_dir: working_dir.trim_end_matches('/').to_string(),
        exposed_ports: crate::python::exposed(&recipe.ports),
        ..ImageConfig::default()
    }
}

/// The last lines that a step wrote, its errors last.
pub(crate) fn last_lines(stdout: &[u8], stderr: &[u8]) -> Vec<String> {
    const MOST: usize = 30;
    let text = [stdout, stderr].map(String::from_utf8_lossy);
    let lines: Vec<&str> = text
        .iter()
        .flat_map(|text| text.lines())
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(MOST);
    lines[from..]
        .iter()
        .map(|line| (*line).to_string())
        .collect()
}

/// `./a/` → `a`, `.` → ``.
pub(crate) fn clean(path: &Path) -> PathBuf {
    path.components()
        .filter(|component| matches!(component, std::path::Component::Normal(_)))
        .collect()
}
