//! Names of files as archives state them, made safe.

use thiserror::Error;

/// Linux takes no longer path.
const LONGEST: usize = 4095;

/// Why a name in an archive is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// `/etc/passwd`.
    #[error("`{0}` is absolute")]
    Absolute(String),
    /// `../x`, also in the middle.
    #[error("`{0}` leads out of the archive")]
    Escapes(String),
    /// Bytes that are no text, or NUL.
    #[error("`{0}` is not a name that can be kept")]
    Unprintable(String),
    /// More than the kernel takes.
    #[error("a name of {0} bytes is too long")]
    TooLong(usize),
    /// A file without a name.
    #[error("an entry has no name")]
    Empty,
}

/// Normalises a name: no leading `./`, no trailing or double slash. The root itself is `""`.
///
/// # Errors
/// When the name is absolute, contains `..`, is not UTF-8 or too long.
pub fn normalised(name: &[u8]) -> Result<String, PathError> {
    let shown = || String::from_utf8_lossy(&name[..name.len().min(200)]).into_owned();
    if name.len() > LONGEST {
        return Err(PathError::TooLong(name.len()));
    }
    let text = std::str::from_utf8(name).map_err(|_| PathError::Unprintable(shown()))?;
    if text.contains('\0') {
        return Err(PathError::Unprintable(shown()));
    }
    if text.starts_with('/') {
        return Err(PathError::Absolute(shown()));
    }
    let mut path = String::with_capacity(text.len());
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." => return Err(PathError::Escapes(shown())),
            name => {
                if name.len() > 255 {
                    return Err(PathError::TooLong(name.len()));
                }
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(name);
            }
        }
    }
    Ok(path)
}

/// Every directory above `path`, the highest first: `a`, `a/b` for `a/b/c`.
pub fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(index, _)| &path[..index])
}

/// Whether a symbolic link at `path` with this target leads above the root, were there no root
/// to stop it.
pub fn leads_out(path: &str, target: &str) -> bool {
    if target.starts_with('/') {
        // Resolved against the container's root, whoever's that is.
        return false;
    }
    let mut depth = parents(path).count();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_normalised_or_refused() {
        let of = |name: &str| normalised(name.as_bytes());
        assert_eq!(of("./usr//lib/"), Ok("usr/lib".to_owned()));
        assert_eq!(of("./"), Ok(String::new()));
        assert_eq!(of("a/..b/..."), Ok("a/..b/...".to_owned()));
        assert_eq!(
            of("/etc/passwd"),
            Err(PathError::Absolute("/etc/passwd".into()))
        );
        assert_eq!(of("a/../../b"), Err(PathError::Escapes("a/../../b".into())));
        assert!(matches!(of("a\0b"), Err(PathError::Unprintable(_))));
        assert!(matches!(
            normalised(b"\xff"),
            Err(PathError::Unprintable(_))
        ));
        assert_eq!(of(&"x".repeat(300)), Err(PathError::TooLong(300)));
    }

    #[test]
    fn links_that_climb_above_the_root_are_seen() {
        assert!(leads_out("a", "../etc"));
        assert!(leads_out("a/b", "x/../../../etc"));
        assert!(!leads_out("a/b", "../etc"));
        assert!(!leads_out("a/b", "/etc"));
    }

    proptest! {
        #[test]
        fn a_normalised_name_never_leads_out(name in "[a./]{0,30}") {
            if let Ok(path) = normalised(name.as_bytes()) {
                prop_assert!(!path.starts_with('/') && !path.ends_with('/'));
                prop_assert!(path.is_empty() || path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
                prop_assert_eq!(normalised(path.as_bytes()), Ok(path));
            }
        }
    }
}
