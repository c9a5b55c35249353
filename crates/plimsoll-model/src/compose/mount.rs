//! The short form of a mount.

use std::path::{Path, PathBuf};

use plimsoll_diag::Diagnostic;

use crate::{Mount, MountKind, Propagation, Recursion};

/// A short form, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ShortMount {
    /// Path on the host or name of a volume; empty for an anonymous volume.
    pub(super) source: String,
    /// Path in the container.
    pub(super) target: String,
    /// `ro`.
    pub(super) read_only: bool,
    /// `nocopy`.
    pub(super) nocopy: bool,
    /// `z` or `Z`.
    pub(super) selinux: Option<String>,
    /// `rprivate` and its like.
    pub(super) propagation: Option<String>,
}

impl ShortMount {
    /// Whether the source is a path of the host.
    pub(super) fn is_bind(&self) -> bool {
        let mut characters = self.source.chars();
        match characters.next() {
            None => false,
            Some('.' | '/' | '~') => true,
            Some('\\') if self.source.starts_with("\\\\") => true,
            Some(first) => first.is_alphabetic() && characters.next() == Some(':'),
        }
    }
}

/// Reads `[source:]target[:options]`. The error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<ShortMount, String> {
    let mut mount = ShortMount::default();
    if text.is_empty() {
        return Err("a mount cannot be empty".to_owned());
    }
    if text.len() <= 2 {
        mount.target = text.to_owned();
        return Ok(mount);
    }
    let sections = sections(text);
    if sections.iter().any(String::is_empty) {
        return Err("nothing stands between two colons".to_owned());
    }
    let options = match sections.as_slice() {
        [target] => {
            mount.target.clone_from(target);
            return Ok(mount);
        }
        [source, target] => {
            mount.source.clone_from(source);
            mount.target.clone_from(target);
            return Ok(mount);
        }
        [source, target, options] => {
            mount.source.clone_from(source);
            mount.target.clone_from(target);
            options
        }
        _ => return Err("too many colons".to_owned()),
    };
    for option in options.split(',') {
        match option {
            "ro" => mount.read_only = true,
            "rw" => mount.read_only = false,
            "nocopy" => mount.nocopy = true,
            "z" | "Z" => mount.selinux = Some(option.to_owned()),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                mount.propagation = Some(option.to_owned());
            }
            // The peer passes over options it does not know.
            _ => {}
        }
    }
    Ok(mount)
}

/// Reads a mount as the command line writes it: `[source:]target[:options]`, relative sources from
/// `base`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_volume(text: &str, base: &Path) -> Result<Mount, Diagnostic> {
    let problem = |reason: String| {
        Diagnostic::error(format!("`{text}` is no mount: {reason}")).hint("as in `./data:/data:ro`")
    };
    let short = parse(text).map_err(problem)?;
    let target = PathBuf::from(&short.target);
    if !target.is_absolute() {
        return Err(problem(format!("`{}` is not absolute", short.target)));
    }
    let kind = if short.is_bind() {
        // The caller's shell has replaced `~` already.
        let source: PathBuf = base.join(&short.source).components().collect();
        MountKind::Bind {
            source,
            create: true,
            propagation: match short.propagation.as_deref() {
                Some("slave" | "rslave") => Propagation::Slave,
                _ => Propagation::Private,
            },
            recursion: Recursion::Enabled,
        }
    } else {
        let name = Some(short.source).filter(|name| !name.is_empty());
        MountKind::Volume {
            name,
            nocopy: short.nocopy,
            subpath: None,
        }
    };
    Ok(Mount {
        kind,
        target,
        read_only: short.read_only,
    })
}

/// Splits at colons that stand outside of `${...}` and after no drive letter.
fn sections(text: &str) -> Vec<String> {
    let mut sections = Vec::new();
    let mut section = String::new();
    let mut nested = 0_usize;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '$' && characters.peek() == Some(&'{') {
            nested += 1;
        } else if character == '}' && nested > 0 {
            nested -= 1;
        } else if character == ':' && nested == 0 {
            let mut seen = section.chars();
            let drive = seen.next().is_some_and(char::is_alphabetic) && seen.next().is_none();
            if !drive {
                sections.push(std::mem::take(&mut section));
                continue;
            }
        }
        section.push(character);
    }
    sections.push(section);
    sections
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form() {
        let mount = parse("./data:/data:ro,z").unwrap();
        assert!(mount.is_bind() && mount.read_only);
        assert_eq!(mount.selinux.as_deref(), Some("z"));
        let mount = parse("db:/var/lib/db:nocopy").unwrap();
        assert!(!mount.is_bind() && mount.nocopy);
        assert_eq!(parse("/anonymous").unwrap().source, "");
        let mount = parse("C:\\data:/data").unwrap();
        assert_eq!((mount.source.as_str(), mount.is_bind()), ("C:\\data", true));
        assert_eq!(parse("${A:-x:y}:/data").unwrap().source, "${A:-x:y}");
        assert_eq!(parse("aa:bb:cc:dd"), Err("too many colons".to_owned()));
        assert_eq!(
            parse("aa::bb"),
            Err("nothing stands between two colons".to_owned())
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[a-z:${},./~é\\\\]{0,24}") {
            let _ = parse(&text).map(|mount| mount.is_bind());
        }
    }
}
