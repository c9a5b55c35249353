//! A service's volumes, secrets and configs as mounts of a container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{
    FileObject, FileSource, FileUse, Mount, MountKind as ModelKind, Project, Propagation,
    Recursion, Service, VolumeBacking,
};

use super::StackPaths;
use super::specification::NamedImages;
use super::up::container_name;
use crate::container::{
    FileContent, MountAccess, MountKind, MountPropagation, MountSpec, Recursive, RootAccess,
    UserSpec, VolumeSeed,
};

/// Directories that programs expect to write to, whatever else is read-only.
const SCRATCH_DIRECTORIES: [&str; 3] = ["/tmp", "/run", "/var/tmp"];

/// How many services in a row may take the volumes of the next.
const MAX_TRANSFERS: usize = 32;

/// What mounts are made from.
pub(super) struct MountSources<'a> {
    pub(super) project: &'a Project,
    /// Images that are mounted.
    pub(super) images: &'a NamedImages,
    pub(super) paths: &'a StackPaths,
    /// The caller's environment, for secrets that come from it.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// Name of the container, for its anonymous volumes.
    pub(super) container: &'a str,
    pub(super) user: &'a UserSpec,
    pub(super) root: RootAccess,
    /// Home directory of the image's user.
    pub(super) home: Option<&'a Path>,
    /// Volumes that the image declares.
    pub(super) image_volumes: &'a [PathBuf],
    /// Where an image of ours has its packages among the application's files, and its layers.
    pub(super) packages: Option<(&'a Path, &'a [PathBuf])>,
}

impl MountSources<'_> {
    /// Every mount of `service`.
    pub(super) fn mounts(&self, service: &Service) -> Result<Vec<MountSpec>, Diagnostic> {
        let mut mounts = Vec::new();
        for mount in &service.volumes {
            mounts.push(self.volume(mount, self.container)?);
        }
        self.volumes_of_others(service, MAX_TRANSFERS, &mut mounts)?;
        let hidden = self
            .packages
            .and_then(|(place, layers)| hidden(place, layers, &mounts));
        mounts.extend(hidden);
        for (uses, objects, what) in [
            (&service.secrets, &self.project.secrets, "secret"),
            (&service.configs, &self.project.configs, "config"),
        ] {
            for file in uses {
                mounts.push(self.file(file, objects, what)?);
            }
        }
        self.image_volumes(&mut mounts)?;
        self.scratch(&mut mounts);
        Ok(mounts)
    }

    /// Mounts of the services that `volumes_from` names, and of those that they name in turn. What
    /// is mounted at a place already stays there.
    fn volumes_of_others(
        &self,
        service: &Service,
        depth: usize,
        mounts: &mut Vec<MountSpec>,
    ) -> Result<(), Diagnostic> {
        for source in &service.volumes_from {
            let problem = |message: String| Diagnostic::error(message).at(source.span.clone());
            let other = self
                .project
                .services
                .get(&source.service)
                .ok_or_else(|| problem(format!("`{}` is no active service", source.service)))?;
            let Some(depth) = depth.checked_sub(1) else {
                return Err(problem("services take volumes from each other".to_owned()));
            };
            let container = container_name(self.project, &other.name, 1);
            let mut taken = Vec::new();
            for mount in &other.volumes {
                let mut mount = mount.clone();
                mount.value.read_only |= source.read_only;
                taken.push(self.volume(&mount, &container)?);
            }
            self.volumes_of_others(other, depth, &mut taken)?;
            for mount in taken {
                if !mounts.iter().any(|own| own.target == mount.target) {
                    mounts.push(mount);
                }
            }
        }
        Ok(())
    }

    /// Whether it is a volume that no container may write to.
    fn is_read_only_volume(&self, mount: &Mount) -> bool {
        let ModelKind::Volume {
            name: Some(name), ..
        } = &mount.kind
        else {
            return false;
        };
        self.project.volumes.get(name).is_some_and(|volume| {
            matches!(
                volume.backing,
                VolumeBacking::Bind {
                    read_only: true,
                    ..
                }
            )
        })
    }

    /// One mount, of the container that an anonymous volume belongs to.
    fn volume(&self, mount: &Spanned<Mount>, container: &str) -> Result<MountSpec, Diagnostic> {
        let access = if mount.read_only || self.is_read_only_volume(mount) {
            MountAccess::ReadOnly
        } else {
            MountAccess::ReadWrite
        };
        let unusable = |path: &Path, error: &std::io::Error| {
            Diagnostic::error(format!("cannot mount `{}`: {error}", path.display()))
                .at(mount.span.clone())
        };
        let kind = match &mount.kind {
            ModelKind::Bind {
                source,
                create,
                propagation,
                recursion,
            } => {
                match fs_err::metadata(source) {
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound && *create => {
                        // No program starts as root here and gives it away itself, as those of
                        // many images do.
                        let owner = (Some(self.user.uid), Some(self.user.gid));
                        fs_err::create_dir_all(source)
                            .and_then(|()| std::os::unix::fs::chown(source, owner.0, owner.1))
                            .map_err(|error| unusable(source, &error))?;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        return Err(Diagnostic::error(format!(
                            "`{}` does not exist",
                            source.display()
                        ))
                        .at(mount.span.clone())
                        .label(format!("mounted at `{}`", mount.target.display())));
                    }
                    Err(error) => return Err(unusable(source, &error)),
                }
                MountKind::Bind {
                    source: source.clone(),
                    access,
                    recursive: match recursion {
                        Recursion::Enabled => Recursive::Yes,
                        Recursion::Disabled => Recursive::No,
                        Recursion::Writable => Recursive::Untouched,
                    },
                    propagation: match propagation {
                        Propagation::Private => MountPropagation::Private,
                        Propagation::Slave => MountPropagation::Slave,
                    },
                }
            }
            ModelKind::Volume {
                name,
                nocopy,
                subpath,
            } => {
                let volume = name
                    .as_ref()
                    .and_then(|name| self.project.volumes.get(name));
                let mut source = match (name, volume.map(|volume| &volume.backing)) {
                    (_, Some(VolumeBacking::Tmpfs { size, mode, owner })) => {
                        return Ok(MountSpec {
                            target: mount.target.clone(),
                            kind: MountKind::Tmpfs {
                                size: *size,
                                mode: mode.unwrap_or(0o1777),
                                owner: owner.unwrap_or_default(),
                            },
                        });
                    }
                    (Some(name), Some(VolumeBacking::Bind { directory, .. })) => {
                        // As with Docker it has to be there: a disk that is not mounted must not
                        // become an empty directory.
                        if !directory.is_dir() {
                            let missing = directory.display();
                            return Err(Diagnostic::error(format!(
                                "the directory `{missing}` of volume `{name}` does not exist"
                            ))
                            .at(volume.and_then(|volume| volume.span.clone())));
                        }
                        directory.clone()
                    }
                    (Some(name), _) => self.paths.volume(&self.full_volume_name(name)),
                    (None, _) => self.paths.anonymous_volume(container, &mount.target),
                };
                fs_err::create_dir_all(&source).map_err(|error| unusable(&source, &error))?;
                if let Some(subpath) = subpath {
                    source.push(subpath);
                }
                let seed = if *nocopy {
                    VolumeSeed::Empty
                } else {
                    VolumeSeed::Image
                };
                MountKind::Volume {
                    source,
                    access,
                    seed,
                }
            }
            ModelKind::Tmpfs { size, mode, owner } => MountKind::Tmpfs {
                size: *size,
                mode: mode.unwrap_or(0o1777),
                owner: owner.unwrap_or_default(),
            },
            ModelKind::Image { reference, subpath } => {
                let image = self.images.get(reference).ok_or_else(|| {
                    Diagnostic::error(format!("the image `{reference}` is not there"))
                        .at(mount.span.clone())
                })?;
                MountKind::Layers {
                    layers: image.layers.clone(),
                    subpath: subpath.clone(),
                }
            }
        };
        Ok(MountSpec {
            target: mount.target.clone(),
            kind,
        })
    }

    fn full_volume_name(&self, name: &str) -> String {
        let volume = self.project.volumes.get(name);
        volume.map_or_else(
            || format!("{}_{name}", self.project.name),
            |volume| volume.name.clone(),
        )
    }

    fn file(
        &self,
        file: &Spanned<FileUse>,
        objects: &BTreeMap<String, FileObject>,
        what: &str,
    ) -> Result<MountSpec, Diagnostic> {
        let problem = |message: String| Diagnostic::error(message).at(file.span.clone());
        let object = objects
            .get(&file.source)
            .ok_or_else(|| problem(format!("{what} `{}` is not defined", file.source)))?;
        let content = match &object.source {
            FileSource::File(path) => fs_err::read(path).map_err(|error| {
                problem(format!("{what} `{}` cannot be read: {error}", file.source))
            })?,
            FileSource::Content(text) => text.clone().into_bytes(),
            FileSource::Environment(name) => match self.environment.get(name) {
                Some(value) => value.clone().into_bytes(),
                None => {
                    return Err(problem(format!(
                        "{what} `{}` comes from the variable `{name}`, which is not set",
                        file.source
                    ))
                    .hint(format!("set it: `{name}=… plimsoll up`")));
                }
            },
            FileSource::External => {
                return Err(
                    problem(format!("{what} `{}` is external", file.source)).hint(
                        "an embedded stack has no store of secrets: name a `file` or `environment`",
                    ),
                );
            }
        };
        let number = |text: &Option<String>, default: u32| match text {
            Some(text) => text
                .parse()
                .map_err(|_| problem(format!("`{text}` is no number of a user or group"))),
            None => Ok(default),
        };
        Ok(MountSpec {
            target: file.target.clone(),
            kind: MountKind::File {
                content: FileContent::new(content),
                mode: file
                    .mode
                    .unwrap_or(if what == "secret" { 0o400 } else { 0o444 }),
                owner: (
                    number(&file.uid, self.user.uid)?,
                    number(&file.gid, self.user.gid)?,
                ),
            },
        })
    }

    /// A volume that the image declares is an anonymous one, unless the file mounts something there.
    fn image_volumes(&self, mounts: &mut Vec<MountSpec>) -> Result<(), Diagnostic> {
        for target in self.image_volumes {
            if mounts.iter().any(|mount| mount.target == *target) {
                continue;
            }
            let source = self.paths.anonymous_volume(self.container, target);
            fs_err::create_dir_all(&source)
                .map_err(|error| Diagnostic::error(format!("cannot make a volume: {error}")))?;
            mounts.push(MountSpec {
                target: target.clone(),
                kind: MountKind::Volume {
                    source,
                    access: MountAccess::ReadWrite,
                    seed: VolumeSeed::Image,
                },
            });
        }
        Ok(())
    }

    /// A read-only root gets memory where programs expect to write.
    fn scratch(&self, mounts: &mut Vec<MountSpec>) {
        if self.root == RootAccess::Writable {
            return;
        }
        let shared = SCRATCH_DIRECTORIES
            .iter()
            .map(|path| (PathBuf::from(path), 0o1777, (0, 0)));
        let home = self
            .home
            .filter(|home| *home != Path::new("/") && !home.starts_with("/root"));
        let owned = home.map(|home| (home.to_owned(), 0o700, (self.user.uid, self.user.gid)));
        for (target, mode, owner) in shared.chain(owned) {
            // A mount of the file at or above the place is there on purpose.
            let taken = mounts.iter().any(|mount| target.starts_with(&mount.target));
            // A home that other mounts lie in may hold what they need to stand on.
            if !taken {
                mounts.push(MountSpec {
                    target,
                    kind: MountKind::Tmpfs {
                        size: None,
                        mode,
                        owner,
                    },
                });
            }
        }
    }
}

/// The packages at `place` of an image of ours, where a directory of this machine is mounted over the application that
/// they lie in: those who wrote the file count on packages that lie elsewhere.
fn hidden(place: &Path, layers: &[PathBuf], mounts: &[MountSpec]) -> Option<MountSpec> {
    let over = mounts
        .iter()
        .filter(|mount| place.starts_with(&mount.target))
        .max_by_key(|mount| mount.target.components().count())?;
    let MountKind::Bind { source, access, .. } = &over.kind else {
        return None;
    };
    let inside = place.strip_prefix(&over.target).ok()?;
    let in_image = place.strip_prefix("/").ok()?;
    // What is mounted at the place itself is meant, and a read-only directory gets no place to mount at.
    let is_meant = inside.as_os_str().is_empty();
    let has_no_place = *access == MountAccess::ReadOnly && !source.join(inside).is_dir();
    let is_there = layers.iter().any(|layer| layer.join(in_image).is_dir());
    (is_there && !is_meant && !has_no_place).then(|| MountSpec {
        target: place.to_owned(),
        kind: MountKind::Layers {
            layers: layers.to_vec(),
            subpath: Some(in_image.to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_among_the_sources_stay_in_sight() {
        let directory = tempfile::tempdir().unwrap();
        let layer = directory.path().join("layer");
        let project = directory.path().join("project");
        fs_err::create_dir_all(layer.join("app/.venv/bin")).unwrap();
        fs_err::create_dir_all(&project).unwrap();
        let layers = [layer];
        let place = Path::new("/app/.venv");
        let bind = |target: &str, access| MountSpec {
            target: PathBuf::from(target),
            kind: MountKind::Bind {
                source: project.clone(),
                access,
                recursive: Recursive::Yes,
                propagation: MountPropagation::Private,
            },
        };
        let over = bind("/app", MountAccess::ReadWrite);
        let shown = hidden(place, &layers, std::slice::from_ref(&over)).unwrap();
        assert_eq!(shown.target, place);
        assert!(
            matches!(shown.kind, MountKind::Layers { subpath: Some(inside), .. } if inside == Path::new("app/.venv"))
        );
        let own = bind("/app/.venv", MountAccess::ReadWrite);
        assert!(hidden(place, &layers, &[over, own]).is_none());
        let beside = bind("/app/data", MountAccess::ReadWrite);
        assert!(hidden(place, &layers, &[beside]).is_none());
        let read_only = [bind("/app", MountAccess::ReadOnly)];
        assert!(hidden(place, &layers, &read_only).is_none());
        fs_err::create_dir_all(project.join(".venv")).unwrap();
        assert!(hidden(place, &layers, &read_only).is_some());
        assert!(hidden(place, &[], &read_only).is_none(), "no packages");
    }
}
