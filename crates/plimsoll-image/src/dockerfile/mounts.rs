//! `RUN --mount`: what a command sees besides its file system.

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::{Secret, Spanned};
use plimsoll_model::dockerfile::Run;

use super::run::Surroundings;
use super::sources::{self, Found};
use super::stage::StageState;
use super::view::{EntryKind, join};
use super::{Build, DockerfileError};
use crate::application::Ignore;
use crate::digest::Hasher;
use crate::{Access, BindMount, Digest, MemoryFile, MemoryMount};

/// One `--mount`, its values put in.
#[derive(Debug, Default)]
struct Options {
    kind: String,
    values: Vec<(String, String)>,
}

impl Options {
    fn parse(text: &str) -> Self {
        let mut options = Self {
            kind: "bind".to_owned(),
            values: Vec::new(),
        };
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, "true"));
            let name = name.trim().to_ascii_lowercase();
            let value = value.trim().trim_matches('"').to_owned();
            match name.as_str() {
                "type" => options.kind = value,
                "dst" | "destination" => options.values.push(("target".to_owned(), value)),
                "src" => options.values.push(("source".to_owned(), value)),
                _ => options.values.push((name, value)),
            }
        }
        options
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !matches!(value, "false" | "0"))
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    fn mode(&self) -> Option<u32> {
        u32::from_str_radix(self.get("mode")?, 8).ok()
    }

    fn owner(&self) -> (u32, u32) {
        (
            self.number("uid").unwrap_or(0),
            self.number("gid").unwrap_or(0),
        )
    }
}

impl Build<'_, '_> {
    /// Takes the mounts of a `RUN`.
    pub(super) fn mounts(
        &self,
        state: &StageState,
        index: usize,
        run: &Run,
        around: &mut Surroundings,
        identity: &mut Hasher,
    ) -> Result<(), DockerfileError> {
        for flag in run.flags.iter().filter(|flag| flag.name.value == "mount") {
            let word = flag.value.clone().unwrap_or_default();
            let text = state.variables.expand(&word)?;
            let options = Options::parse(&text);
            let fail = |message: String| DockerfileError::at(word.span.clone(), message);
            match options.kind.as_str() {
                "bind" => self.bind(state, index, &options, &word, around, identity)?,
                "cache" => {
                    let target = target(state, &options).ok_or_else(|| no_target(&word))?;
                    identity.update(format!("cache {target} ").as_bytes());
                    self.cache_mount(&target, &options, around)?;
                }
                "tmpfs" => {
                    let target = target(state, &options).ok_or_else(|| no_target(&word))?;
                    identity.update(format!("tmpfs {target} ").as_bytes());
                    around.memory.push(MemoryMount {
                        target: target.into(),
                        size: options.get("size").and_then(|size| size.parse().ok()),
                    });
                }
                "secret" => self.secret(state, &options, &word, around)?,
                "ssh" => self.ssh(&options, &word, around)?,
                other => {
                    return Err(fail(format!("`{other}` is no kind of mount"))
                        .hint("known are bind, cache, tmpfs, secret and ssh"));
                }
            }
        }
        Ok(())
    }

    fn bind(
        &self,
        state: &StageState,
        index: usize,
        options: &Options,
        word: &Spanned<String>,
        around: &mut Surroundings,
        identity: &mut Hasher,
    ) -> Result<(), DockerfileError> {
        let target = target(state, options).ok_or_else(|| no_target(word))?;
        let view = match options.get("from") {
            Some(from) => {
                let from = Spanned {
                    value: from.to_owned(),
                    span: word.span.clone(),
                };
                self.source_view(index, &from)?
            }
            None => self.context()?.clone(),
        };
        let source = super::copy::clean(options.get("source").unwrap_or(""));
        let mut found = sources::find(&view, &source, &Ignore::default())?
            .into_iter()
            .next()
            .ok_or_else(|| {
                DockerfileError::at(
                    word.span.clone(),
                    format!("there is no `{source}` to mount at `{target}`"),
                )
            })?;
        let digest = sources::identity(std::slice::from_mut(&mut found), &mut self.known_hashes())?;
        identity.update(format!("bind {digest} {target} ").as_bytes());
        let writable = options.is("rw") || options.is("readwrite");
        around.bound.push(Bound {
            found,
            target: target.into(),
            access: match writable {
                true => Access::ReadWrite,
                false => Access::ReadOnly,
            },
        });
        Ok(())
    }

    fn cache_mount(
        &self,
        target: &str,
        options: &Options,
        around: &mut Surroundings,
    ) -> Result<(), DockerfileError> {
        let id = options.get("id").unwrap_or(target);
        let name = Digest::of(format!("{id} {:?}", options.get("from")).as_bytes()).hex();
        let place = self.workshop.cache.join("dockerfile-caches").join(name);
        if !place.is_dir() {
            fs::create_dir_all(&place)?;
            let (uid, gid) = options.owner();
            fs::os::unix::fs::chown(&place, Some(uid), Some(gid))?;
            use std::os::unix::fs::PermissionsExt;
            let mode = options.mode().unwrap_or(0o755);
            fs::set_permissions(&place, std::fs::Permissions::from_mode(mode))?;
        }
        if matches!(options.get("sharing"), Some("locked" | "private")) {
            around.locks.insert(place.display().to_string());
        }
        around.mounts.push(BindMount {
            source: place,
            target: target.into(),
            access: match options.is("ro") || options.is("readonly") {
                true => Access::ReadOnly,
                false => Access::ReadWrite,
            },
        });
        Ok(())
    }

    fn secret(
        &self,
        state: &StageState,
        options: &Options,
        word: &Spanned<String>,
        around: &mut Surroundings,
    ) -> Result<(), DockerfileError> {
        let named = target(state, options);
        let id = options
            .get("id")
            .or_else(|| named.as_deref()?.rsplit('/').next())
            .ok_or_else(|| DockerfileError::at(word.span.clone(), "the secret has no `id`"))?;
        let Some((_, path)) = self.recipe.secrets.iter().find(|(known, _)| known == id) else {
            if !(options.is("required")) {
                return Ok(());
            }
            return Err(DockerfileError::at(
                word.span.clone(),
                format!("the secret `{id}` is needed, and nobody gives it"),
            )
            .hint("name it in `build.secrets`"));
        };
        let content = fs::read(path).map_err(|error| {
            DockerfileError::at(word.span.clone(), format!("the secret `{id}`: {error}"))
        })?;
        if let Some(name) = options.get("env") {
            let text = String::from_utf8_lossy(&content).into_owned();
            around.environment.push((name.to_owned(), text));
        }
        if named.is_some() || options.get("env").is_none() {
            around.files.push(MemoryFile {
                target: named
                    .clone()
                    .unwrap_or_else(|| format!("/run/secrets/{id}"))
                    .into(),
                content: Secret::new(content.clone()),
                mode: options.mode().unwrap_or(0o400),
                owner: options.owner(),
            });
        }
        around.secrets.push((id.to_owned(), Secret::new(content)));
        Ok(())
    }

    fn ssh(
        &self,
        options: &Options,
        word: &Spanned<String>,
        around: &mut Surroundings,
    ) -> Result<(), DockerfileError> {
        let id = options.get("id").unwrap_or("default");
        let Some((_, socket)) = self.recipe.ssh.iter().find(|(known, _)| known == id) else {
            if !options.is("required") {
                return Ok(());
            }
            return Err(DockerfileError::at(
                word.span.clone(),
                format!("the ssh agent `{id}` is needed, and nobody gives it"),
            )
            .hint("name it in `build.ssh`"));
        };
        let target = options
            .get("target")
            .unwrap_or("/run/buildkit/ssh_agent.0")
            .to_owned();
        around
            .environment
            .push(("SSH_AUTH_SOCK".to_owned(), target.clone()));
        around.mounts.push(BindMount {
            source: socket.clone(),
            target: target.into(),
            access: Access::ReadWrite,
        });
        Ok(())
    }
}

/// A part of a context, stage or image to be mounted.
#[derive(Debug)]
pub(super) struct Bound {
    found: Found,
    target: PathBuf,
    access: Access,
}

impl Bound {
    /// Lays it out below `directory`; what a command writes there is thrown away.
    pub(super) fn lay_out(&self, directory: &Path) -> Result<BindMount, DockerfileError> {
        for item in &self.found.items {
            let place = match item.below.is_empty() {
                true => directory.to_owned(),
                false => directory.join(&item.below),
            };
            let attributes = item.entry.attributes;
            match &item.entry.kind {
                EntryKind::Directory => fs::create_dir_all(&place)?,
                EntryKind::File => {
                    fs::copy(&item.entry.source, &place)?;
                }
                EntryKind::Symlink(target) => fs::os::unix::fs::symlink(target, &place)?,
                EntryKind::Other => continue,
            }
            let (uid, gid) = (Some(attributes.uid), Some(attributes.gid));
            fs::os::unix::fs::lchown(&place, uid, gid)?;
            if !matches!(item.entry.kind, EntryKind::Symlink(_)) {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::Permissions::from_mode(attributes.mode);
                fs::set_permissions(&place, mode)?;
            }
        }
        Ok(BindMount {
            source: directory.to_owned(),
            target: self.target.clone(),
            access: self.access,
        })
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }
}

fn target(state: &StageState, options: &Options) -> Option<String> {
    Some(state.absolute(options.get("target")?))
}

fn no_target(word: &Spanned<String>) -> DockerfileError {
    DockerfileError::at(word.span.clone(), "the mount has no `target`")
        .hint("say where it is mounted: `target=/root/.cache`")
}

/// Where a secret's bytes are in files that a step wrote.
pub(super) fn leak(
    files: &crate::layer::FileSet,
    secrets: &[(String, Secret<Vec<u8>>)],
) -> Result<Option<(String, String)>, DockerfileError> {
    use crate::layer::{Content, Node};
    /// Shorter values stand in any file by chance.
    const SHORTEST: usize = 8;
    let values: Vec<(&str, &[u8])> = secrets
        .iter()
        .map(|(id, value)| (id.as_str(), value.expose().trim_ascii()))
        .filter(|(_, value)| value.len() >= SHORTEST)
        .collect();
    if values.is_empty() {
        return Ok(None);
    }
    for (path, node) in files.iter() {
        let Node::File(_, content) = node else {
            continue;
        };
        let bytes = match content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Part(whole, range) => whole[range.clone()].to_vec(),
            Content::File(place) | Content::Seen(place, _) => fs::read(place)?,
        };
        for (id, value) in &values {
            if memchr::memmem::find(&bytes, value).is_some() {
                return Ok(Some(((*id).to_owned(), path.to_owned())));
            }
        }
    }
    Ok(None)
}

/// A path below another.
pub(super) fn below(directory: &Path, number: usize) -> PathBuf {
    directory.join(join("", &format!("mount-{number}")))
}
