//! `COPY` and `ADD`.

use plimsoll_diag::Spanned;
use plimsoll_model::dockerfile::{Copy, CopyKind, Flag, Instruction, Quoting};

use super::add;
use super::placement::{ModeChange, Placement};
use super::run::shortened;
use super::sources::{self, Found};
use super::stage::{Made, RULES, StageState, layer};
use super::view::{View, join};
use super::{Build, DockerfileError};
use crate::Digest;
use crate::application::Ignore;
use crate::digest::Hasher;
use crate::step::scratch::Scratch;

/// One source, looked at.
enum Source {
    /// Files and directories.
    Found(Found, Keep),
    /// Bytes with a name.
    Bytes(String, u32, Vec<u8>),
}

/// How much of a source's path stays.
enum Keep {
    /// Its last name.
    Name,
    /// This path (`--parents`).
    Path(String),
    /// Nothing: the content of an archive.
    Nothing,
}

impl Build<'_, '_> {
    /// Copies, as a layer above the stage.
    pub(super) fn copy(
        &self,
        state: &mut StageState,
        index: usize,
        instruction: &Instruction,
        copy: &Copy,
    ) -> Result<(), DockerfileError> {
        let variables = &state.variables;
        let value = |name: &str| -> Result<Option<Spanned<String>>, DockerfileError> {
            let Some(flag) = copy.flag(name) else {
                return Ok(None);
            };
            let word = flag.value.clone().unwrap_or_default();
            Ok(Some(Spanned {
                value: variables.expand(&word)?,
                span: word.span,
            }))
        };
        let excludes: Vec<String> = copy
            .flags
            .iter()
            .filter(|flag| flag.name.value == "exclude")
            .filter_map(|flag| flag.value.as_ref())
            .map(|word| variables.expand(word))
            .collect::<Result<_, _>>()?;
        let excludes = Ignore::from_patterns(excludes.iter().map(String::as_str));
        let mode = value("chmod")?
            .map(|text| {
                ModeChange::parse(&text.value).ok_or_else(|| {
                    DockerfileError::at(text.span.clone(), format!("`{}` is no mode", text.value))
                        .hint("write `644`, or `u=rwX,go=rX`")
                })
            })
            .transpose()?;
        let owner = match value("chown")? {
            Some(name) => {
                let account = state
                    .account(self.workshop, &name.value)
                    .map_err(placed(&name))?;
                Some((account.uid, account.gid))
            }
            None => None,
        };
        let view = match value("from")? {
            Some(from) => self.source_view(index, &from)?,
            None => self.context()?.clone(),
        };
        let scratch = self.workshop.scratch()?;
        let checksum = value("checksum")?;
        let mut listed = Vec::new();
        let mut identity = Hasher::default();
        for word in &copy.sources {
            let more = self.source(
                &Looking {
                    state,
                    copy,
                    view: &view,
                    excludes: &excludes,
                    checksum: checksum.as_ref(),
                    scratch: &scratch,
                },
                word,
                &mut identity,
            )?;
            listed.extend(more);
        }
        let destination = variables.expand(&copy.destination)?;
        let target = Target::new(state, &destination, listed.len());
        let created_by = shortened(instruction);
        let key = format!(
            "{RULES} copy on {} of {} to {target:?} {owner:?} {mode:?}",
            state.identity(),
            identity.finish(),
        );
        let workshop = self.workshop;
        let layers = layer(workshop, &key, &created_by, || {
            let below = state.view(workshop)?;
            let span = Some(instruction.span.clone());
            let mut placement = Placement::new(&below, span, owner, mode.as_ref());
            target.place(&below, &mut placement, &listed, instruction)?;
            Ok(Made {
                files: placement.finish(),
                _place: None,
            })
        })?;
        state.layers.extend(layers);
        Ok(())
    }

    /// What one word names.
    fn source(
        &self,
        looking: &Looking<'_>,
        word: &Spanned<String>,
        identity: &mut Hasher,
    ) -> Result<Vec<Source>, DockerfileError> {
        let Looking { state, copy, .. } = looking;
        if let Some(heredoc) = copy
            .heredocs
            .iter()
            .find(|heredoc| heredoc.opening == word.value)
        {
            let text = match heredoc.expands {
                true => state.variables.expand_with(
                    &Spanned {
                        value: heredoc.content.clone(),
                        span: word.span.clone(),
                    },
                    Quoting::Kept,
                )?,
                false => heredoc.content.clone(),
            };
            let digest = Digest::of(text.as_bytes());
            identity.update(format!("heredoc {} {digest}", heredoc.name).as_bytes());
            let bytes = Source::Bytes(heredoc.name.clone(), 0o644, text.into_bytes());
            return Ok(vec![bytes]);
        }
        let text = state.variables.expand(word)?;
        if copy.kind == CopyKind::Add {
            if add::is_repository(&text) {
                return Err(DockerfileError::at(
                    word.span.clone(),
                    format!("`{text}` is a git repository, which `ADD` does not fetch here"),
                )
                .hint("clone it in a `RUN`, or add an archive of it"));
            }
            if add::is_address(&text) {
                return self.fetched(looking, word, &text, identity);
            }
        }
        let excludes = looking.excludes;
        let path = clean(&text);
        let mut found = sources::find(looking.view, &path, excludes)?;
        if found.is_empty() {
            return Err(missing(copy, word, &text));
        }
        let digest = sources::identity(&mut found, &mut self.known_hashes())?;
        identity.update(format!("{digest} ").as_bytes());
        let parents = copy.flag("parents").is_some_and(is_on);
        let mut listed = Vec::new();
        for one in found {
            if copy.kind == CopyKind::Add
                && !one.is_directory()
                && let Some(archive) = self.unpacked(looking, word, &one)?
            {
                identity.update(b"unpacked ");
                listed.push(archive);
                continue;
            }
            let keep = match parents {
                // What is before `/./` does not stay.
                true => Keep::Path(match text.split_once("/./") {
                    Some((before, _)) => {
                        let skip = clean(before).len();
                        one.path[skip.min(one.path.len())..]
                            .trim_start_matches('/')
                            .to_owned()
                    }
                    None => one.path.clone(),
                }),
                false => Keep::Name,
            };
            listed.push(Source::Found(one, keep));
        }
        identity.update(if parents { b"parents " } else { b"names " });
        Ok(listed)
    }

    fn fetched(
        &self,
        looking: &Looking<'_>,
        word: &Spanned<String>,
        url: &str,
        identity: &mut Hasher,
    ) -> Result<Vec<Source>, DockerfileError> {
        let directory = looking
            .scratch
            .directory(&Digest::of(url.as_bytes()).hex(), (0, 0))?;
        let (file, digest) = add::fetch(self.workshop, url, looking.checksum, looking.scratch)?;
        let name = add::file_name(url).ok_or_else(|| {
            DockerfileError::at(word.span.clone(), format!("`{url}` names no file"))
        })?;
        let place = directory.join(name);
        fs_err::rename(file, &place)?;
        use std::os::unix::fs::PermissionsExt;
        fs_err::set_permissions(&place, std::fs::Permissions::from_mode(0o600))?;
        identity.update(format!("fetched {name} {digest}").as_bytes());
        let found = sources::find(&View::of_directory(&directory), name, &Ignore::default())?;
        Ok(found
            .into_iter()
            .map(|one| Source::Found(one, Keep::Name))
            .collect())
    }

    /// The content of a file that is an archive.
    fn unpacked(
        &self,
        looking: &Looking<'_>,
        word: &Spanned<String>,
        one: &Found,
    ) -> Result<Option<Source>, DockerfileError> {
        let Some(item) = one.items.first() else {
            return Ok(None);
        };
        let Some(packing) = add::packing(&item.entry.source)? else {
            return Ok(None);
        };
        let name = format!("archive {}", Digest::of(one.path.as_bytes()).hex());
        let directory = looking.scratch.directory(&name, (0, 0))?;
        if !add::extract(&item.entry.source, packing, &directory).map_err(placed(word))? {
            return Ok(None);
        }
        let content = sources::find(&View::of_directory(&directory), "", &Ignore::default())?;
        Ok(content
            .into_iter()
            .next()
            .map(|content| Source::Found(content, Keep::Nothing)))
    }
}

/// What all sources of one instruction share.
struct Looking<'a> {
    state: &'a StageState,
    copy: &'a Copy,
    view: &'a View,
    excludes: &'a Ignore,
    checksum: Option<&'a Spanned<String>>,
    scratch: &'a Scratch,
}

/// Where the sources go.
#[derive(Debug)]
struct Target {
    /// Absolute.
    path: String,
    /// Whether it is written as a directory, or there are several sources.
    is_directory: bool,
}

impl Target {
    fn new(state: &StageState, destination: &str, sources: usize) -> Self {
        let is_directory = sources > 1
            || destination.ends_with('/')
            || matches!(destination, "." | "..")
            || destination.ends_with("/.");
        Self {
            path: state.absolute(destination),
            is_directory,
        }
    }

    fn place(
        &self,
        below: &View,
        placement: &mut Placement<'_>,
        sources: &[Source],
        instruction: &Instruction,
    ) -> Result<(), DockerfileError> {
        let place = below.resolve(&self.path).map_err(|error| {
            let message = format!("`{}` cannot be found in the image: {error}", self.path);
            DockerfileError::at(instruction.span.clone(), message)
        })?;
        let is_directory = self.is_directory
            || below
                .at(&place)?
                .is_some_and(|entry| entry.kind == super::view::EntryKind::Directory);
        for source in sources {
            match source {
                Source::Bytes(name, mode, bytes) => {
                    let path = if is_directory {
                        join(&place, name)
                    } else {
                        place.clone()
                    };
                    placement.bytes(&path, *mode, bytes.clone())?;
                }
                Source::Found(found, Keep::Path(path)) => {
                    placement.put(found, &join(&place, path))?;
                }
                Source::Found(found, Keep::Name) if !found.is_directory() && is_directory => {
                    let name = found.path.rsplit('/').next().unwrap_or_default();
                    placement.put(found, &join(&place, name))?;
                }
                Source::Found(found, _) => placement.put(found, &place)?,
            }
        }
        Ok(())
    }
}

/// Gives an error the place of a word, where it has none.
fn placed(word: &Spanned<String>) -> impl FnOnce(DockerfileError) -> DockerfileError {
    let place = word.span.clone();
    move |error| match error {
        DockerfileError::Instruction {
            message,
            span: None,
            hints,
        } => DockerfileError::Instruction {
            message,
            span: place,
            hints,
        },
        other => other,
    }
}

fn is_on(flag: &Flag) -> bool {
    flag.value
        .as_ref()
        .is_none_or(|value| value.value != "false")
}

/// A path without dots; what would lead above the root stays at it.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn missing(copy: &Copy, word: &Spanned<String>, text: &str) -> DockerfileError {
    let from = copy.flag("from").and_then(|flag| flag.value.as_ref());
    let place = match from {
        Some(from) => format!("`{}`", from.value),
        None => "the build context".to_owned(),
    };
    let error = DockerfileError::at(
        word.span.clone(),
        format!("there is no `{text}` in {place}"),
    );
    match from {
        None if text.split('/').any(|part| part == "..") => error
            .hint("nothing outside of the build context can be copied: `build.context` sets it"),
        None => error.hint("`.dockerignore` may leave it out, or it may be a link that leads out"),
        Some(_) => error,
    }
}
