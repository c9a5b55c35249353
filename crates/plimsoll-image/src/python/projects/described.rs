//! What an installed distribution says of itself, as far as it tells whether its files are copies.

use std::collections::BTreeSet;

use super::backends::Refusal;
use super::installed::{Installed, InstalledFile};
use super::{below, record};

/// A distribution of Python modules for any machine, whose programs are entry points.
pub(super) struct Described<'a> {
    packages: &'a str,
    /// `a-1.dist-info`
    information: String,
    programs: BTreeSet<String>,
    lines: BTreeSet<String>,
}

/// What a file of a distribution is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'f> {
    /// Made by the backend or the installer.
    Metadata,
    /// A file of a package, with its path there.
    Package(&'f str),
}

impl<'a> Described<'a> {
    pub(super) fn read(installed: &Installed, packages: &'a str) -> Result<Self, Refusal> {
        let information = format!("{}.dist-info", installed.name);
        let text = |name: &str| {
            let path = format!("{packages}/{information}/{name}");
            let file = installed.files.iter().find(|file| file.path == path)?;
            String::from_utf8(file.bytes().ok()?).ok()
        };
        let wheel = text("WHEEL").ok_or_else(|| format!("`{}` is no wheel", installed.name))?;
        let mut tags = wheel
            .lines()
            .filter_map(|line| line.strip_prefix("Tag:"))
            .peekable();
        let is_pure = wheel.lines().any(|line| {
            line.replace(' ', "")
                .eq_ignore_ascii_case("Root-Is-Purelib:true")
        });
        if !is_pure || tags.peek().is_none() || !tags.all(|tag| tag.trim().ends_with("-none-any")) {
            return Err(format!("`{}` is not for any machine", installed.name));
        }
        let entry_points = text("entry_points.txt").unwrap_or_default();
        let programs = entry_points.lines().filter_map(|line| line.split_once('='));
        Ok(Self {
            packages,
            programs: programs.map(|(name, _)| name.trim().to_string()).collect(),
            lines: text("RECORD")
                .unwrap_or_default()
                .lines()
                .map(str::to_string)
                .collect(),
            information,
        })
    }

    /// What a file is; nothing is known of files elsewhere.
    pub(super) fn place_of<'f>(&self, file: &'f InstalledFile) -> Result<Place<'f>, Refusal> {
        if let Some(inside) = below(&file.path, self.packages) {
            let top = inside.split('/').next().unwrap_or_default();
            return Ok(match top == self.information {
                true => Place::Metadata,
                false => Place::Package(inside),
            });
        }
        match below(&file.path, "bin") {
            Some(program) if self.programs.contains(program) => Ok(Place::Metadata),
            _ => Err(format!("nothing is known of `{}`", file.path)),
        }
    }

    /// Whether the record has the line of a file as it is written here.
    pub(super) fn lists(&self, inside: &str, file: &InstalledFile) -> bool {
        record::line(inside, &file.digest, file.size).is_some_and(|line| self.lines.contains(&line))
    }
}
