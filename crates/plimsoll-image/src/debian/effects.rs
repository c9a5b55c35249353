//! What maintainer scripts would do to files, done without running them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::content::{MERGED, merged};
use crate::layer::{Attributes, Content, FileSet, FileSetError, Node};
use crate::oci::Architecture;

/// The bundle of certificate authorities.
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// Name resolution: files first, then DNS.
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n\
    networks: files\nprotocols: files\nservices: files\n";

const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/// One of several programs that can have a common name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Alternative {
    pub(super) link: String,
    pub(super) target: String,
    pub(super) priority: i32,
}

/// Adds to a package's files what its scripts would make, as far as it concerns this package.
pub(super) fn apply(
    package: &str,
    architecture: Architecture,
    chosen: &BTreeSet<&str>,
    files: &mut FileSet,
) -> Result<(), FileSetError> {
    match package {
        "base-files" => skeleton(architecture, files),
        "ca-certificates" => certificates(files),
        "tzdata" => {
            link(files, "etc/localtime", "/usr/share/zoneinfo/Etc/UTC")?;
            add(files, "etc/timezone", "Etc/UTC\n")
        }
        "dash" => link(files, "usr/bin/sh", "dash"),
        "libc-bin" => {
            only_locale_and_getent(files);
            Ok(())
        }
        _ => python_links(package, chosen, files),
    }
}

fn link(files: &mut FileSet, path: &str, target: &str) -> Result<(), FileSetError> {
    if files.get(path).is_some() {
        return Ok(());
    }
    files.symlink(path, target)
}

fn add(files: &mut FileSet, path: &str, text: &str) -> Result<(), FileSetError> {
    if files.get(path).is_some() {
        return Ok(());
    }
    files.file(path, Attributes::FILE, text)
}

/// What every system has: the links of the merged `/usr`, directories, name resolution.
fn skeleton(architecture: Architecture, files: &mut FileSet) -> Result<(), FileSetError> {
    for name in MERGED {
        // Only x86-64 has its loader below /lib64.
        let wanted = matches!(name, "bin" | "lib" | "sbin")
            || name == "lib64" && architecture == Architecture::Amd64;
        if wanted {
            files.directory(&format!("usr/{name}"), Attributes::DIRECTORY)?;
            link(files, name, &format!("usr/{name}"))?;
        }
    }
    for directory in [
        "dev", "etc", "home", "mnt", "proc", "run", "srv", "sys", "var/lib", "var/log",
    ] {
        files.directory(directory, Attributes::DIRECTORY)?;
    }
    files.directory("root", Attributes::root(0o700))?;
    for shared in ["tmp", "var/tmp"] {
        files.directory(shared, Attributes::root(0o1777))?;
    }
    link(files, "var/run", "/run")?;
    link(files, "var/lock", "/run/lock")?;
    add(files, "etc/nsswitch.conf", NSSWITCH)?;
    add(files, "etc/hosts", HOSTS)
}

/// `update-ca-certificates`: every certificate in one file, in the order of the names' bytes.
fn certificates(files: &mut FileSet) -> Result<(), FileSetError> {
    let mut bundle = Vec::new();
    for (path, node) in files.iter() {
        if !path.starts_with("usr/share/ca-certificates/") || !path.ends_with(".crt") {
            continue;
        }
        let bytes = match node {
            Node::File(_, Content::Bytes(bytes)) => bytes.as_slice(),
            Node::File(_, Content::Part(whole, range)) => &whole[range.clone()],
            _ => continue,
        };
        bundle.extend_from_slice(bytes.trim_ascii_end());
        bundle.push(b'\n');
    }
    files.file(BUNDLE, Attributes::FILE, bundle)?;
    // Where OpenSSL looks when nothing tells it otherwise; the directory is the `openssl`
    // program's, which is not here.
    files.symlink("usr/lib/ssl/cert.pem", &format!("/{BUNDLE}"))?;
    link(files, "usr/lib/ssl/certs", "/etc/ssl/certs")
}

/// Of the programs for administering locales nothing works without its data, which is pruned.
fn only_locale_and_getent(files: &mut FileSet) {
    let paths: Vec<String> = files
        .iter()
        .filter(|(path, node)| {
            let kept = path.starts_with("usr/lib/locale")
                || path.starts_with("usr/share/doc")
                || *path == "usr/bin/getent";
            !kept && !matches!(node, Node::Directory(_))
        })
        .map(|(path, _)| path.to_owned())
        .collect();
    for path in paths {
        files.remove(&path);
    }
}

/// `python3` and `python`, which the package `python3-minimal` has where it is chosen.
fn python_links(
    package: &str,
    chosen: &BTreeSet<&str>,
    files: &mut FileSet,
) -> Result<(), FileSetError> {
    let version = package
        .strip_prefix("python3.")
        .and_then(|rest| rest.strip_suffix("-minimal"))
        .filter(|minor| minor.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(minor) = version else {
        return Ok(());
    };
    if !chosen.contains("python3-minimal") {
        link(files, "usr/bin/python3", &format!("python3.{minor}"))?;
    }
    if !chosen.contains("python-is-python3") {
        link(files, "usr/bin/python", "python3")?;
    }
    Ok(())
}

/// The alternatives that a `postinst` installs, where it names them outright.
pub(super) fn alternatives(postinst: &str) -> Vec<Alternative> {
    let joined = postinst.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        let words: Vec<&str> = line
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'', ';']))
            .collect();
        let Some(start) = words.iter().position(|word| *word == "update-alternatives") else {
            continue;
        };
        let mut priority = 0;
        let mut rest = &words[start + 1..];
        while let Some((flag, after)) = rest.split_first() {
            rest = after;
            match (*flag, after) {
                ("--install", [link, _, target, number, ..]) => {
                    let Ok(number) = number.parse() else { break };
                    priority = number;
                    push(&mut found, link, target, priority);
                }
                ("--slave", [link, _, target, ..]) => push(&mut found, link, target, priority),
                _ => {}
            }
        }
    }
    found
}

fn push(found: &mut Vec<Alternative>, link: &str, target: &str, priority: i32) {
    let literal = |path: &str| path.starts_with('/') && !path.contains(['$', '`', '*']);
    // Manual pages are not in the image.
    if literal(link) && literal(target) && !link.contains("/man/") {
        found.push(Alternative {
            link: merged(link.trim_start_matches('/').to_owned()),
            target: target.to_owned(),
            priority,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_stand_on_a_merged_system() {
        let found = alternatives("update-alternatives --install /lib/cpp cpp /usr/bin/cpp 10\n");
        assert_eq!(found[0].link, "usr/lib/cpp");
    }

    #[test]
    fn certificates_become_one_file_in_order() {
        let mut files = FileSet::new();
        for (name, text) in [("b.crt", "B\n\n"), ("a.crt", "A"), ("readme", "no")] {
            let path = format!("usr/share/ca-certificates/mozilla/{name}");
            files.file(&path, Attributes::FILE, text).unwrap();
        }
        apply(
            "ca-certificates",
            Architecture::Amd64,
            &[].into(),
            &mut files,
        )
        .unwrap();
        let Some(Node::File(_, Content::Bytes(bundle))) = files.get(BUNDLE) else {
            panic!("no bundle");
        };
        assert_eq!(bundle, b"A\nB\n");
        assert!(
            matches!(files.get("usr/lib/ssl/cert.pem"), Some(Node::Symlink(_, target)) if target == "/etc/ssl/certs/ca-certificates.crt")
        );
    }

    #[test]
    fn python_is_linked_unless_its_own_package_does() {
        let links = |chosen: &[&str]| {
            let mut files = FileSet::new();
            let chosen = chosen.iter().copied().collect();
            apply(
                "python3.13-minimal",
                Architecture::Amd64,
                &chosen,
                &mut files,
            )
            .unwrap();
            files
                .iter()
                .filter(|(_, node)| matches!(node, Node::Symlink(..)))
                .count()
        };
        assert_eq!(links(&[]), 2);
        assert_eq!(links(&["python3-minimal"]), 1);
    }

    #[test]
    fn only_x86_64_has_lib64() {
        let has = |architecture| {
            let mut files = FileSet::new();
            apply("base-files", architecture, &[].into(), &mut files).unwrap();
            files.get("lib64").is_some()
        };
        assert!(has(Architecture::Amd64) && !has(Architecture::Arm64));
    }

    #[test]
    fn alternatives_are_read_where_they_are_literal() {
        let script = "#!/bin/sh\nif [ \"$1\" = configure ]; then\n  update-alternatives --quiet \\\n    \
            --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n    --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \\\n    \
            --slave /usr/bin/nawk nawk /usr/bin/mawk\nfi\nupdate-alternatives --install /usr/bin/x x $dir/x 1\n\
            update-alternatives --remove y /usr/bin/y\n";
        let found = alternatives(script);
        let shown: Vec<_> = found
            .iter()
            .map(|a| (a.link.as_str(), a.target.as_str(), a.priority))
            .collect();
        assert_eq!(
            shown,
            [
                ("usr/bin/awk", "/usr/bin/mawk", 5),
                ("usr/bin/nawk", "/usr/bin/mawk", 5)
            ]
        );
    }
}
