//! Files that the engine writes for a container: names, name servers, and secrets.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid};

use super::root::mount_private_memory;
use super::{AtPath, StartFailure, StartStage};
use crate::container::{ContainerSpec, MountKind, NetworkSpec, Resolver};

/// A file on the host and where it is shown.
pub(crate) struct GeneratedFile {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
}

/// Writes `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` below `dir`.
pub(crate) fn write_etc(
    spec: &ContainerSpec,
    dir: &Path,
) -> Result<Vec<GeneratedFile>, StartFailure> {
    let etc = dir.join("etc");
    super::root::make_dir(&etc)?;
    let resolver = match (&spec.resolver, &spec.network) {
        (Some(resolver), _) => resolv_conf(resolver),
        (None, NetworkSpec::Host) => fs_err::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        (None, _) => String::new(),
    };
    let texts = [
        ("hosts", hosts(spec)),
        ("hostname", format!("{}\n", spec.hostname)),
        ("resolv.conf", resolver),
    ];
    texts
        .into_iter()
        .map(|(name, text)| {
            let source = etc.join(name);
            write_file(&source, text.as_bytes(), 0o644, (0, 0)).at(StartStage::Mounts, &source)?;
            Ok(GeneratedFile {
                source,
                target: Path::new("/etc").join(name),
            })
        })
        .collect()
}

fn hosts(spec: &ContainerSpec) -> String {
    let mut text = String::new();
    let mut line = |address: IpAddr, names: &[&str]| {
        let _ = writeln!(text, "{address}\t{}", names.join(" "));
    };
    line(Ipv4Addr::LOCALHOST.into(), &["localhost"]);
    line(
        Ipv6Addr::LOCALHOST.into(),
        &["localhost", "ip6-localhost", "ip6-loopback"],
    );
    if spec.addresses.is_empty() {
        // A name that does not resolve makes many programs wait for a name server.
        line(Ipv4Addr::new(127, 0, 1, 1).into(), &[&spec.hostname]);
    }
    let full = spec
        .domainname
        .as_ref()
        .map(|domain| format!("{}.{domain}", spec.hostname));
    for address in &spec.addresses {
        match &full {
            Some(full) => line(*address, &[full, &spec.hostname]),
            None => line(*address, &[&spec.hostname]),
        }
    }
    for entry in &spec.hosts {
        let names: Vec<&str> = entry.names.iter().map(String::as_str).collect();
        line(entry.address, &names);
    }
    text
}

fn resolv_conf(resolver: &Resolver) -> String {
    let mut text = String::new();
    for server in &resolver.nameservers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !resolver.search.is_empty() {
        let _ = writeln!(text, "search {}", resolver.search.join(" "));
    }
    if !resolver.options.is_empty() {
        let _ = writeln!(text, "options {}", resolver.options.join(" "));
    }
    text
}

/// Writes the contents of file mounts to memory that only this mount namespace sees; gives their
/// places in the order of `spec.mounts`.
pub(crate) fn write_secrets(
    spec: &ContainerSpec,
    contents: &[Vec<u8>],
    dir: &Path,
) -> Result<Vec<GeneratedFile>, StartFailure> {
    let files: Vec<_> = spec
        .mounts
        .iter()
        .filter_map(|mount| match &mount.kind {
            MountKind::File { mode, owner, .. } => Some((&mount.target, *mode, *owner)),
            _ => None,
        })
        .collect();
    if files.len() != contents.len() {
        return Err(StartFailure::new(
            StartStage::Mounts,
            format!(
                "{} files are named, {} were given",
                files.len(),
                contents.len()
            ),
        ));
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let memory = dir.join("files");
    mount_private_memory(&memory, "mode=0700,size=64m")?;
    files
        .into_iter()
        .zip(contents)
        .enumerate()
        .map(|(number, ((target, mode, owner), content))| {
            let source = memory.join(number.to_string());
            write_file(&source, content, mode, owner).at(StartStage::Mounts, target)?;
            Ok(GeneratedFile {
                source,
                target: target.clone(),
            })
        })
        .collect()
}

fn write_file(path: &Path, content: &[u8], mode: u32, owner: (u32, u32)) -> std::io::Result<()> {
    let mut file = fs_err::File::create(path)?;
    file.write_all(content)?;
    let (user, group) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    rustix::fs::fchown(&file, Some(user), Some(group))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::HostEntry;

    #[test]
    fn names_of_the_container_and_of_others() {
        let mut spec = ContainerSpec::new("web", vec![], vec!["x".to_owned()], "/s".into());
        spec.addresses = vec![Ipv4Addr::new(10, 1, 0, 2).into()];
        spec.hosts = vec![HostEntry {
            address: Ipv4Addr::new(10, 1, 0, 1).into(),
            names: vec!["host".to_owned(), "gateway".to_owned()],
        }];
        assert_eq!(
            hosts(&spec),
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
             10.1.0.2\tweb\n10.1.0.1\thost gateway\n"
        );
    }

    #[test]
    fn a_domain_makes_a_full_name() {
        let mut spec = ContainerSpec::new("web", vec![], vec!["x".to_owned()], "/s".into());
        spec.addresses = vec![Ipv4Addr::new(10, 1, 0, 2).into()];
        spec.domainname = Some("example.com".to_owned());
        assert!(hosts(&spec).ends_with("10.1.0.2\tweb.example.com web\n"));
    }

    #[test]
    fn name_servers() {
        let resolver = Resolver {
            nameservers: vec![Ipv4Addr::new(10, 0, 0, 1).into()],
            search: vec!["a".to_owned(), "b".to_owned()],
            options: vec!["ndots:0".to_owned()],
        };
        assert_eq!(
            resolv_conf(&resolver),
            "nameserver 10.0.0.1\nsearch a b\noptions ndots:0\n"
        );
    }
}
