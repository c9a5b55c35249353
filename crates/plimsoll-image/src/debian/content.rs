//! Which files of a package go into an image, and where.
//!
//! Documentation and what only maintainer scripts, daemons of a whole system, or developers use
//! is left out; copyright files stay. Paths are those of a system with merged `/usr`.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use tar::EntryType;

use super::PackageError;
use crate::layer::{Attributes, Content, FileSet, LayerError, Node, normalised};

/// Counts changes of the rules in this module and in `effects`: segments made by other rules are
/// other segments.
pub(super) const RULES: u32 = 4;

/// Top-level directories that are links into `/usr`.
pub(super) const MERGED: [&str; 7] = ["bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"];

/// Directories whose content is left out.
const LEFT_OUT: [&str; 35] = [
    "etc/apt",
    "etc/bash_completion.d",
    "etc/cron.d",
    "etc/cron.daily",
    "etc/cron.weekly",
    "etc/cron.monthly",
    "etc/init.d",
    "etc/logrotate.d",
    "etc/network",
    "etc/pam.d",
    "etc/systemd",
    "etc/ufw",
    "etc/update-motd.d",
    "usr/include",
    "usr/lib/init",
    "usr/lib/systemd",
    "usr/lib/sysusers.d",
    "usr/lib/tmpfiles.d",
    "usr/lib/udev",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/doc-base",
    "usr/share/fish",
    "usr/share/gdb",
    "usr/share/i18n",
    "usr/share/icons",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/pixmaps",
    "usr/share/pkgconfig",
    "usr/share/vim",
    "usr/share/zsh",
];

/// Parts of Python's library that a service does not use.
const LEFT_OUT_OF_PYTHON: [&str; 9] = [
    "ensurepip",
    "idlelib",
    "lib2to3",
    "test",
    "tests",
    "tkinter",
    "turtle.py",
    "turtledemo",
    "venv/scripts/nt",
];

/// More of them, which a service that is slim does without: the help system's texts, how the
/// interpreter was built, modules that test it.
const LEFT_OUT_OF_SLIM_PYTHON: [&str; 7] = [
    "__phello__",
    "config-3",
    "lib-dynload/_ctypes_test",
    "lib-dynload/_test",
    "lib-dynload/_xxtest",
    "lib-dynload/xxlimited",
    "pydoc_data",
];

/// What a base is for, which decides what of its packages it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BasePurpose {
    /// The root of a service: headers, static libraries and documentation are left out.
    #[default]
    Run,
    /// The same without parts of languages' libraries that few services load.
    Slim,
    /// The root of steps that compile: everything but documentation. Never part of an image.
    Compile,
}

/// What compilers read.
fn is_for_compilers(path: &str) -> bool {
    path.starts_with("usr/include")
        // A whole interpreter as a library is what nothing here links.
        || path.ends_with(".a") && !path.contains("/config-3")
        || path.contains("/pkgconfig/")
        || path.ends_with("/pkgconfig")
}

/// Whether a path of a package is left out.
fn is_left_out(path: &str, purpose: BasePurpose) -> bool {
    if purpose == BasePurpose::Compile && is_for_compilers(path) {
        return false;
    }
    let below = |directory: &str| {
        path.strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if LEFT_OUT.into_iter().any(below) {
        return true;
    }
    if let Some(rest) = path.strip_prefix("usr/share/doc/") {
        return rest.contains('/') && !rest.ends_with("/copyright");
    }
    if let Some(rest) = path.strip_prefix("usr/lib/python3")
        && let Some((_, rest)) = rest.split_once('/')
    {
        return LEFT_OUT_OF_PYTHON.iter().any(|part| {
            rest.strip_prefix(part)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }) || rest.starts_with("config-3") && rest.ends_with(".a")
            || purpose == BasePurpose::Slim
                && LEFT_OUT_OF_SLIM_PYTHON
                    .iter()
                    .any(|part| rest.starts_with(part));
    }
    if purpose == BasePurpose::Slim
        && (below("usr/share/zoneinfo/posix") || below("usr/share/zoneinfo/right"))
    {
        return true;
    }
    if let Some(rest) = path.strip_prefix("usr/lib/postgresql/") {
        // The just-in-time compiler: 180 MB of LLVM for what an application's database rarely
        // gains from. The server does without when these are not there.
        return rest.contains("/lib/bitcode") || rest.contains("/lib/llvmjit");
    }
    if let Some(rest) = path.strip_prefix("usr/lib/") {
        let multiarch = rest.split_once('/').map_or("", |(_, rest)| rest);
        return multiarch == "gconv"
            || multiarch.starts_with("gconv/")
            || multiarch == "pkgconfig"
            || multiarch.starts_with("pkgconfig/")
            || path.ends_with(".a") && !multiarch.contains('/');
    }
    false
}

/// Directories that maintainer scripts of older releases replace by links to other places.
const MOVED: [(&str, &str); 2] = [("var/run", "run"), ("var/lock", "run/lock")];

/// Where a path of a package stands on a system with merged `/usr` and `/run`.
pub(super) fn merged(path: String) -> String {
    for (old, new) in MOVED {
        if let Some(rest) = path.strip_prefix(old)
            && rest.starts_with('/')
        {
            return format!("{new}{rest}");
        }
    }
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) {
        format!("usr/{path}")
    } else {
        path
    }
}

/// The files of a package's `data.tar` that go into an image.
pub(super) fn files(data: &Arc<Vec<u8>>, purpose: BasePurpose) -> Result<FileSet, PackageError> {
    let mut set = FileSet::new();
    // Hard links may point to something that is left out; then the first kept name is the file.
    let mut contents: HashMap<String, (Attributes, Content)> = HashMap::new();
    let mut archive = tar::Archive::new(Cursor::new(data.as_slice()));
    for entry in archive.entries()? {
        let entry = entry?;
        let path = normalised(&entry.path_bytes()).map_err(LayerError::from)?;
        let is_ours = MERGED.contains(&path.as_str()) || MOVED.iter().any(|(old, _)| path == *old);
        if path.is_empty() || is_ours {
            // These links are made once, not by whoever ships a directory of that name.
            continue;
        }
        let path = merged(path);
        let attributes = attributes(entry.header())?;
        let kind = entry.header().entry_type();
        let link = entry
            .link_name_bytes()
            .map(|target| String::from_utf8_lossy(&target).into_owned());
        let node = match kind {
            EntryType::Directory => Node::Directory(attributes),
            EntryType::Regular | EntryType::Continuous => {
                let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
                let length = usize::try_from(entry.size()).unwrap_or(usize::MAX);
                let end = start.saturating_add(length);
                if end > data.len() {
                    return Err(PackageError::Malformed(format!("`{path}` is cut off")));
                }
                let content = Content::Part(Arc::clone(data), start..end);
                contents.insert(path.clone(), (attributes, content.clone()));
                Node::File(attributes, content)
            }
            EntryType::Symlink => Node::Symlink(Attributes::root(0o777), link.unwrap_or_default()),
            EntryType::Link => {
                let target =
                    normalised(link.unwrap_or_default().as_bytes()).map_err(LayerError::from)?;
                let target = merged(target);
                match set.get(&target) {
                    Some(Node::File(..)) => Node::Hardlink(target),
                    _ => {
                        let (attributes, content) =
                            contents.get(&target).cloned().ok_or_else(|| {
                                PackageError::Malformed(format!(
                                    "`{path}` links to `{target}`, which is not there"
                                ))
                            })?;
                        Node::File(attributes, content)
                    }
                }
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                return Err(LayerError::Device(path).into());
            }
            other => {
                let kind = char::from(other.as_byte());
                return Err(LayerError::UnknownKind { path, kind }.into());
            }
        };
        if !is_left_out(&path, purpose) {
            set.insert(&path, node)?;
        }
    }
    Ok(set)
}

fn attributes(header: &tar::Header) -> Result<Attributes, PackageError> {
    let id = |number: u64| {
        u32::try_from(number)
            .map_err(|_| PackageError::Malformed("an owner's number is too large".into()))
    };
    let mode = header.mode()?;
    // Nothing in an image gains rights by being run; directories keep what the bits mean there.
    let mode = if header.entry_type() == EntryType::Directory {
        mode & 0o7777
    } else {
        mode & 0o777
    };
    Ok(Attributes {
        mode,
        uid: id(header.uid()?)?,
        gid: id(header.gid()?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_goes_and_copyright_stays() {
        for path in [
            "usr/share/man/man1/x.1.gz",
            "usr/share/doc/x/README.gz",
            "usr/share/locale/fr/LC_MESSAGES/x.mo",
            "usr/lib/x86_64-linux-gnu/gconv/UTF-7.so",
            "usr/lib/x86_64-linux-gnu/libz.a",
            "usr/lib/python3.13/test/support.py",
            "usr/lib/python3.13/turtle.py",
            "usr/lib/postgresql/17/lib/bitcode/postgres/a.bc",
            "etc/init.d/nginx",
            "usr/lib/systemd/system/nginx.service",
        ] {
            assert!(is_left_out(path, BasePurpose::Run), "{path}");
        }
        for path in [
            "usr/share/doc/x",
            "usr/share/doc/x/copyright",
            "usr/lib/locale/C.utf8/LC_CTYPE",
            "usr/lib/python3.13/testing.py",
            "usr/lib/python3.13/unittest/case.py",
            "usr/lib/x86_64-linux-gnu/libz.so.1",
            "usr/share/manual",
            "usr/lib/postgresql/17/bin/postgres",
        ] {
            assert!(!is_left_out(path, BasePurpose::Run), "{path}");
        }
    }

    fn archive(entries: &[(u8, &str, &str, u32)]) -> Arc<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, path, text, mode) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::new(*kind));
            header.set_mode(*mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(99);
            if *kind == b'0' {
                header.set_size(text.len() as u64);
                builder
                    .append_data(&mut header, path, text.as_bytes())
                    .unwrap();
            } else {
                header.set_size(0);
                if text.is_empty() {
                    builder.append_data(&mut header, path, &[][..]).unwrap();
                } else {
                    builder.append_link(&mut header, path, text).unwrap();
                }
            }
        }
        Arc::new(builder.into_inner().unwrap())
    }

    #[test]
    fn merges_usr_drops_set_id_and_keeps_links() {
        let data = archive(&[
            (b'5', "./", "", 0o755),
            (b'2', "./bin", "usr/bin", 0o777),
            (b'0', "./lib/a.so", "library", 0o644),
            (b'1', "./lib/b.so", "./lib/a.so", 0o644),
            (b'0', "./usr/bin/su", "x", 0o4755),
            (b'5', "./tmp", "", 0o1777),
            (b'0', "./usr/share/man/man1/p.1", "manual", 0o644),
            (b'1', "./usr/bin/p", "./usr/share/man/man1/p.1", 0o644),
        ]);
        let set = files(&data, BasePurpose::Run).unwrap();
        let paths: Vec<&str> = set.iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "tmp",
                "usr",
                "usr/bin",
                "usr/bin/p",
                "usr/bin/su",
                "usr/lib",
                "usr/lib/a.so",
                "usr/lib/b.so"
            ]
        );
        assert!(matches!(set.get("usr/bin/su"), Some(Node::File(a, _)) if a.mode == 0o755));
        assert!(
            matches!(set.get("usr/lib/b.so"), Some(Node::Hardlink(target)) if target == "usr/lib/a.so")
        );
        assert!(
            matches!(set.get("usr/bin/p"), Some(Node::File(_, Content::Part(_, range))) if &data[range.clone()] == b"manual")
        );
        assert!(matches!(set.get("tmp"), Some(Node::Directory(a)) if a.mode == 0o1777));
    }

    #[test]
    fn device_nodes_are_refused() {
        let error =
            files(&archive(&[(b'3', "dev/null", "", 0o666)]), BasePurpose::Run).unwrap_err();
        assert!(
            error.to_string().contains("`dev/null` is a device node"),
            "{error}"
        );
    }
}
