//! A service and its image as the specification of one container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_diag::Diagnostic;
use plimsoll_model::{
    Command, HealthTest as ModelTest, Healthcheck, LoggingDriver, Project, Restart, Service,
};

use super::StackPaths;
use super::hardening::{permissions, written_directories};
use super::mounts::MountSources;
use crate::container::{
    ContainerSpec, HealthSpec, HealthTest, InitProcess, LogKeeping, LogSpec, RootAccess, StdinMode,
    StopSpec, Terminal, Unheard, UserError, UserSpec, home_of, resolve_user, translate,
};

/// Where an image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageOrigin {
    /// We assembled it from the project's source.
    Assembled,
    /// We assembled it in place of an image that cannot be reached.
    StandIn,
    /// It was pulled from a registry.
    Pulled,
}

/// What an image says about how to run it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageDefaults {
    /// `user[:group]`; empty: root.
    pub user: String,
    /// Environment.
    pub environment: Vec<(String, String)>,
    /// Entrypoint.
    pub entrypoint: Vec<String>,
    /// Command.
    pub command: Vec<String>,
    /// Working directory.
    pub working_dir: Option<PathBuf>,
    /// Paths that are volumes.
    pub volumes: Vec<PathBuf>,
    /// Signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// Health check.
    pub healthcheck: Option<Healthcheck>,
}

/// The image of a service, ready to run.
#[derive(Debug, Clone)]
pub struct ServiceImage {
    /// Digest of its manifest, for telling whether it changed.
    pub digest: String,
    /// Size in bytes, uncompressed.
    pub size: u64,
    /// Where it comes from.
    pub origin: ImageOrigin,
    /// Unpacked layers, lowest first.
    pub layers: Vec<PathBuf>,
    /// How to run it.
    pub defaults: ImageDefaults,
}

/// Images that mounts and hooks name, by reference as it is written.
pub type NamedImages = BTreeMap<String, ServiceImage>;

/// What a container is specified from.
pub(super) struct SpecificationSources<'a> {
    pub(super) project: &'a Project,
    /// Images that are used by their name.
    pub(super) images: &'a NamedImages,
    pub(super) paths: &'a StackPaths,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) service: &'a Service,
    pub(super) image: &'a ServiceImage,
    /// Name of the container.
    pub(super) container: &'a str,
    /// Memory of the machine in bytes.
    pub(super) machine_memory: u64,
    /// What a root that is read-only is.
    pub(super) read_only_root: RootAccess,
}

impl SpecificationSources<'_> {
    /// The container, not yet on any network.
    ///
    /// # Errors
    /// What the Compose file asks for and cannot be had, with its place.
    pub(super) fn specification(&self) -> Result<ContainerSpec, Diagnostic> {
        let Self { service, image, .. } = self;
        let scratch = self.paths.writable_layers().join(self.container);
        let mut spec = ContainerSpec::new(
            self.container,
            image.layers.clone(),
            self.command()?,
            scratch,
        );
        let (user, home) = self.user()?;
        let permissions = permissions(service, image.origin, user.uid)?;
        let mounts = MountSources {
            project: self.project,
            images: self.images,
            paths: self.paths,
            environment: self.environment,
            container: self.container,
            user: &user,
            root: permissions.root,
            home: home.as_deref(),
            image_volumes: &image.defaults.volumes,
            packages: self.packages(),
        };
        spec.mounts = mounts.mounts(service)?;
        spec.environment = self.merged_environment(home.as_deref());
        spec.hostname = service
            .hostname
            .as_ref()
            .map_or_else(|| host_name(self.container), |name| name.value.clone());
        spec.working_dir = match (&service.working_dir, &image.defaults.working_dir) {
            (Some(directory), _) => PathBuf::from(&directory.value),
            (None, Some(directory)) => directory.clone(),
            (None, None) => PathBuf::from("/"),
        };
        if image.origin == ImageOrigin::Assembled && user.uid != 0 {
            spec.own_directories = written_directories(service, &spec.working_dir);
        }
        spec.user = user;
        spec.root = match permissions.root {
            RootAccess::Writable => RootAccess::Writable,
            RootAccess::ReadOnly | RootAccess::Synchronised => self.read_only_root,
        };
        spec.capabilities = permissions.capabilities;
        spec.privileges = permissions.privileges;
        spec.seccomp = permissions.seccomp;
        spec.confinement = permissions.confinement;
        spec.shm_size = service.shm_size.unwrap_or(spec.shm_size);
        spec.sysctls = service.sysctls.clone();
        spec.health = self.health();
        spec.restart = service.restart.value;
        spec.stop = self.stop()?;
        spec.log = self.log()?;
        // As process 1 a program that does not handle its stop signal would ignore it. Programs of
        // projects often do not; images from elsewhere were made for being process 1.
        let ours = image.origin == ImageOrigin::Assembled;
        spec.init = match service.init.as_ref().map_or(ours, |init| init.value) {
            true => InitProcess::Reaper,
            false => InitProcess::Program,
        };
        spec.terminal = if service.tty {
            Terminal::Allocate
        } else {
            Terminal::None
        };
        spec.stdin = if service.stdin_open {
            StdinMode::Open
        } else {
            StdinMode::Closed
        };
        spec.labels = service.labels.clone();
        spec.annotations = service.annotations.clone();
        spec.domainname = service.domainname.as_ref().map(|name| name.value.clone());
        super::resources::apply(&mut spec, service, self.machine_memory)?;
        Ok(spec)
    }

    fn command(&self) -> Result<Vec<String>, Diagnostic> {
        let Self { service, image, .. } = self;
        let words = |command: &Command| command.0.clone();
        let own_command = service.command.as_ref().map(|command| words(command));
        // As in Docker: a new entrypoint makes the image's command meaningless.
        let mut argv = match &service.entrypoint {
            Some(entrypoint) => words(entrypoint),
            None => image.defaults.entrypoint.clone(),
        };
        argv.extend(match (own_command, &service.entrypoint) {
            (Some(command), _) => command,
            (None, Some(_)) => Vec::new(),
            (None, None) => image.defaults.command.clone(),
        });
        if argv.is_empty() {
            return Err(
                Diagnostic::error(format!("`{}` has no command to run", service.name))
                    .at(service.span.clone())
                    .hint("write one with `command:`"),
            );
        }
        Ok(argv)
    }

    /// The user and its home directory.
    fn user(&self) -> Result<(UserSpec, Option<PathBuf>), Diagnostic> {
        let Self { service, image, .. } = self;
        let passwd = topmost_file(&image.layers, "etc/passwd");
        let group = topmost_file(&image.layers, "etc/group");
        let (wanted, span) = match &service.user {
            Some(user) => (user.value.clone(), user.span.clone()),
            None => match self.owner_of_mounted_files() {
                Some(owner) => (owner, service.span.clone()),
                None => (image.defaults.user.clone(), service.span.clone()),
            },
        };
        let user = resolve_user(&passwd, &group, &wanted, &service.group_add)
            .map_err(|error| Diagnostic::error(format!("`{}`: {error}", service.name)).at(span))?;
        let named = image
            .defaults
            .environment
            .iter()
            .find(|(name, _)| name == "HOME");
        let home = match named {
            Some((_, home)) => Some(PathBuf::from(home)),
            None => home_of(&passwd, user.uid).map(PathBuf::from),
        };
        Ok((user, home))
    }

    /// A service of ours that mounts a directory of the host runs as its owner: the files would
    /// otherwise be unreadable, or what it writes would belong to nobody.
    fn owner_of_mounted_files(&self) -> Option<String> {
        use std::os::unix::fs::MetadataExt as _;
        if self.image.origin != ImageOrigin::Assembled {
            return None;
        }
        let sources = self
            .service
            .volumes
            .iter()
            .filter_map(|mount| match &mount.kind {
                plimsoll_model::MountKind::Bind { source, .. } => Some(source),
                _ => None,
            });
        sources
            .filter_map(|source| fs_err::metadata(source).ok())
            .map(|metadata| (metadata.uid(), metadata.gid()))
            .find(|(uid, _)| *uid != 0)
            .map(|(uid, gid)| format!("{uid}:{gid}"))
    }

    /// Where an image that was assembled for Python has its packages.
    fn packages(&self) -> Option<(&Path, &[PathBuf])> {
        if self.image.origin != ImageOrigin::Assembled {
            return None;
        }
        let variables = &self.image.defaults.environment;
        let (_, place) = variables.iter().find(|(name, _)| name == "VIRTUAL_ENV")?;
        Some((Path::new(place), &self.image.layers))
    }

    fn merged_environment(&self, home: Option<&Path>) -> Vec<(String, String)> {
        let mut merged: BTreeMap<String, String> =
            self.image.defaults.environment.iter().cloned().collect();
        for (name, value) in &self.service.environment {
            match &value.value {
                Some(value) => merged.insert(name.clone(), value.clone()),
                None => merged.remove(name),
            };
        }
        if let Some(home) = home {
            merged
                .entry("HOME".to_owned())
                .or_insert_with(|| home.to_string_lossy().into_owned());
        }
        merged.entry("PATH".to_owned()).or_insert_with(|| {
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()
        });
        merged.into_iter().collect()
    }

    fn health(&self) -> Option<HealthSpec> {
        let own = self.service.healthcheck.as_ref().map(|check| &check.value);
        let images = self.image.defaults.healthcheck.as_ref();
        let test = own
            .and_then(|check| check.test.as_ref())
            .or(images.and_then(|check| check.test.as_ref()))?;
        let test = match test {
            ModelTest::Disabled => return None,
            ModelTest::Exec(words) => HealthTest::Exec(words.clone()),
            ModelTest::Shell(line) => HealthTest::Shell(line.clone()),
        };
        // A request that the engine can make itself needs no `curl` in the image.
        let test = translate(&test).map_or(test, HealthTest::Probe);
        let mut spec = HealthSpec::new(test);
        // The service's own values win over the image's, one by one.
        for check in images.into_iter().chain(own) {
            spec.interval = check.interval.unwrap_or(spec.interval);
            spec.timeout = check.timeout.unwrap_or(spec.timeout);
            spec.retries = check.retries.unwrap_or(spec.retries);
            spec.start_period = check.start_period.unwrap_or(spec.start_period);
            spec.start_interval = check.start_interval.unwrap_or(spec.start_interval);
        }
        Some(spec)
    }

    fn stop(&self) -> Result<StopSpec, Diagnostic> {
        let Self { service, image, .. } = self;
        let mut stop = StopSpec::default();
        let (name, span) = match (&service.stop_signal, &image.defaults.stop_signal) {
            (Some(signal), _) => (Some(&signal.value), signal.span.clone()),
            (None, name) => (name.as_ref(), service.span.clone()),
        };
        if let Some(name) = name {
            stop.signal = signal_number(name).ok_or_else(|| {
                Diagnostic::error(format!("`{name}` is no signal"))
                    .at(span)
                    .hint("as in SIGTERM, TERM or 15")
            })?;
        }
        if let Some(grace) = &service.stop_grace_period {
            stop.grace = grace.value;
            stop.unheard = Unheard::Wait;
        }
        Ok(stop)
    }

    fn log(&self) -> Result<LogSpec, Diagnostic> {
        let mut log = LogSpec::new(self.paths.logs().join(format!("{}.log", self.container)));
        if self.service.logging_driver == LoggingDriver::None {
            log.keeping = LogKeeping::Nothing;
            return Ok(log);
        }
        let option = |name: &str| self.service.logging_options.get(name);
        let problem = |name: &str, value: &str| {
            Diagnostic::error(format!("logging option `{name}` cannot be `{value}`"))
                .at(self.service.span.clone())
        };
        if let Some(value) = option("max-size") {
            log.max_size = byte_size(value)
                .filter(|size| *size > 0)
                .ok_or_else(|| problem("max-size", value))?;
        }
        if let Some(value) = option("max-file") {
            log.max_files = value
                .parse()
                .ok()
                .filter(|files| *files > 0)
                .ok_or_else(|| problem("max-file", value))?;
        }
        Ok(log)
    }
}

/// Whether a service that ended is expected to have ended.
pub(super) fn may_end(service: &Service) -> bool {
    matches!(
        service.restart.value,
        Restart::No | Restart::OnFailure { .. }
    )
}

/// A user of an image, names by its own `passwd` and `group`.
///
/// # Errors
/// A name that the image does not know.
pub fn user_of_image(layers: &[PathBuf], user: &str) -> Result<UserSpec, UserError> {
    resolve_user(
        &topmost_file(layers, "etc/passwd"),
        &topmost_file(layers, "etc/group"),
        user,
        &[],
    )
}

/// A file of an image: the one in the highest layer that has it.
fn topmost_file(layers: &[PathBuf], path: &str) -> String {
    let found = layers
        .iter()
        .rev()
        .map(|layer| layer.join(path))
        .find_map(|path| {
            // A link could lead out of the layer; a real passwd file is a regular file.
            let metadata = fs_err::symlink_metadata(&path).ok()?;
            metadata
                .is_file()
                .then(|| fs_err::read(&path).ok())
                .flatten()
        });
    String::from_utf8_lossy(&found.unwrap_or_default()).into_owned()
}

/// A container's name as a host name: what a host name cannot hold becomes `-`.
fn host_name(container: &str) -> String {
    let valid = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '-'
        }
    };
    let name: String = container.chars().map(valid).take(63).collect();
    name.trim_matches('-').to_owned()
}

/// The number of a signal: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`.
fn signal_number(name: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 31] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
        ("STKFLT", 16),
        ("CHLD", 17),
        ("CONT", 18),
        ("STOP", 19),
        ("TSTP", 20),
        ("TTIN", 21),
        ("TTOU", 22),
        ("URG", 23),
        ("XCPU", 24),
        ("XFSZ", 25),
        ("VTALRM", 26),
        ("PROF", 27),
        ("WINCH", 28),
        ("IO", 29),
        ("PWR", 30),
        ("SYS", 31),
    ];
    let upper = name.trim().to_ascii_uppercase();
    if let Ok(number) = upper.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = short.strip_prefix("RTMIN") {
        // The C library keeps the first two for itself.
        let offset: i32 = if offset.is_empty() {
            0
        } else {
            offset.strip_prefix('+')?.parse().ok()?
        };
        return (0..=30).contains(&offset).then_some(34 + offset);
    }
    NAMES
        .iter()
        .find(|(known, _)| *known == short)
        .map(|(_, number)| *number)
}

/// A size as log options write it: `10m`, `500k`, `1g`, bytes.
fn byte_size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let (digits, factor) = match lower.char_indices().last()? {
        (at, 'k') => (&lower[..at], 1 << 10),
        (at, 'm') => (&lower[..at], 1 << 20),
        (at, 'g') => (&lower[..at], 1 << 30),
        _ => (lower, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        let numbers: Vec<Option<i32>> = [
            "SIGTERM",
            "int",
            "9",
            "SIGRTMIN+3",
            "SIGNOTHING",
            "0",
            "RTMIN-1",
        ]
        .into_iter()
        .map(signal_number)
        .collect();
        assert_eq!(
            numbers,
            [Some(15), Some(2), Some(9), Some(37), None, None, None]
        );
    }

    #[test]
    fn sizes_of_logs() {
        let sizes: Vec<Option<u64>> = ["10m", "500kb", "1g", "7", "", "x"]
            .into_iter()
            .map(byte_size)
            .collect();
        assert_eq!(
            sizes,
            [
                Some(10 << 20),
                Some(500 << 10),
                Some(1 << 30),
                Some(7),
                None,
                None
            ]
        );
    }

    #[test]
    fn a_container_name_becomes_a_host_name() {
        assert_eq!(host_name("desk_web.1"), "desk-web-1");
    }
}
