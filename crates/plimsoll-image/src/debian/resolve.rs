//! Which packages a set of names needs.
//!
//! The closure of `Pre-Depends` and `Depends`; of alternatives the first that is already chosen,
//! else the first that exists. Conflicts are not looked at: the names are curated, and two
//! packages that hold the same file are noticed when their layer is put together.

use std::collections::BTreeMap;

use super::packages::{Package, PackageIndex};
use super::relation::{Relation, dependencies};

/// Packages that others need only to run their maintainer scripts, which never run here. Named
/// outright, each can be had.
const ONLY_FOR_SCRIPTS: [&str; 19] = [
    "adduser",
    "awk",
    "base-passwd",
    "cdebconf",
    "debconf",
    "debconf-2.0",
    "debianutils",
    "dpkg",
    "init-system-helpers",
    "install-info",
    "lsb-base",
    "mawk",
    "openssl",
    "passwd",
    "perl-base",
    "sysvinit-utils",
    "tar",
    "ucf",
    "usrmerge",
];

/// What is not to be had, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// No package has this name.
    NoPackage(String),
    /// No alternative of a dependency exists.
    Unsatisfied { package: String, relation: String },
}

/// Chooses packages, group after group.
pub(super) struct Resolver<'i, 'a> {
    index: &'i PackageIndex<'a>,
    without: &'i [String],
    chosen: BTreeMap<&'a str, usize>,
}

impl<'i, 'a> Resolver<'i, 'a> {
    /// A resolver that has chosen nothing. `without` names packages that are left out wherever
    /// they are depended on.
    pub(super) fn new(index: &'i PackageIndex<'a>, without: &'i [String]) -> Self {
        Self {
            index,
            without,
            chosen: BTreeMap::new(),
        }
    }

    /// Whether a package is among those chosen so far.
    pub(super) fn has(&self, name: &str) -> bool {
        self.chosen.contains_key(name)
    }

    /// Chooses what these names need and no earlier group has, sorted by name.
    pub(super) fn choose(
        &mut self,
        group: usize,
        roots: &[String],
    ) -> Result<Vec<Package<'a>>, Unresolved> {
        let mut waiting = Vec::new();
        for root in roots {
            let package = self
                .find(&Relation {
                    name: root,
                    version: None,
                })
                .ok_or_else(|| Unresolved::NoPackage(root.clone()))?;
            self.take(group, package, &mut waiting);
        }
        while let Some(package) = waiting.pop() {
            for field in [package.pre_depends, package.depends] {
                for alternatives in dependencies(field) {
                    self.satisfy(group, &package, &alternatives, &mut waiting)?;
                }
            }
        }
        let names = self.chosen.iter().filter(|(_, of)| **of == group);
        Ok(names.filter_map(|(name, _)| self.index.get(name)).collect())
    }

    fn satisfy(
        &mut self,
        group: usize,
        package: &Package<'a>,
        alternatives: &[Relation<'_>],
        waiting: &mut Vec<Package<'a>>,
    ) -> Result<(), Unresolved> {
        if alternatives
            .iter()
            .any(|relation| self.is_left_out(package.name, relation.name))
            || alternatives
                .iter()
                .any(|relation| self.is_satisfied(relation))
        {
            return Ok(());
        }
        let found = alternatives.iter().find_map(|relation| self.find(relation));
        match found {
            Some(found) => {
                self.take(group, found, waiting);
                Ok(())
            }
            None => {
                let shown: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
                Err(Unresolved::Unsatisfied {
                    package: package.name.to_owned(),
                    relation: shown.join(" | "),
                })
            }
        }
    }

    fn take(&mut self, group: usize, package: Package<'a>, waiting: &mut Vec<Package<'a>>) {
        if !self.chosen.contains_key(package.name) {
            self.chosen.insert(package.name, group);
            waiting.push(package);
        }
    }

    fn is_left_out(&self, needed_by: &str, name: &str) -> bool {
        // The interpreter itself is in perl-base: what is written in Perl needs it to run.
        let perl =
            needed_by == "perl" || needed_by.ends_with("-perl") || needed_by.starts_with("libperl");
        self.without.iter().any(|without| without == name)
            || (ONLY_FOR_SCRIPTS.contains(&name) && !(name == "perl-base" && perl))
    }

    fn is_satisfied(&self, relation: &Relation<'_>) -> bool {
        let chosen = self.has(relation.name)
            && self
                .index
                .get(relation.name)
                .is_some_and(|package| relation.admits(package.version));
        chosen
            || self
                .index
                .providers(relation.name)
                .iter()
                .any(|(provider, version)| self.has(provider) && relation.admits_provided(*version))
    }

    fn find(&self, relation: &Relation<'_>) -> Option<Package<'a>> {
        self.index
            .get(relation.name)
            .filter(|package| relation.admits(package.version))
            .or_else(|| {
                self.index
                    .providers(relation.name)
                    .iter()
                    .filter(|(_, version)| relation.admits_provided(*version))
                    .find_map(|(provider, _)| self.index.get(provider))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::packages::tests::list;
    use super::*;

    fn names(groups: &[&[&str]], lines: &[&str]) -> Result<Vec<Vec<String>>, Unresolved> {
        let text = list(lines);
        let index = PackageIndex::read(&[&text]).unwrap();
        let mut resolver = Resolver::new(&index, &[]);
        groups
            .iter()
            .enumerate()
            .map(|(number, roots)| {
                let roots: Vec<String> = roots.iter().map(|&root| root.to_owned()).collect();
                let chosen = resolver.choose(number, &roots)?;
                Ok(chosen
                    .iter()
                    .map(|package| package.name.to_owned())
                    .collect())
            })
            .collect()
    }

    #[test]
    fn follows_dependencies_in_circles_and_by_group() {
        let chosen = names(
            &[&["libc6"], &["app"]],
            &[
                "libc6 2; libgcc (>= 1)",
                "libgcc 1; libc6",
                "app 1; lib, libc6 (>= 2)",
                "lib 1",
                "other 1",
            ],
        );
        assert_eq!(
            chosen.unwrap(),
            [vec!["libc6", "libgcc"], vec!["app", "lib"]]
        );
    }

    #[test]
    fn takes_the_chosen_alternative_before_the_first() {
        let lines = ["app 1; one | two", "one 1", "two 1"];
        assert_eq!(names(&[&["app"]], &lines).unwrap(), [["app", "one"]]);
        assert_eq!(names(&[&["two", "app"]], &lines).unwrap(), [["app", "two"]]);
    }

    #[test]
    fn takes_a_provider_where_the_name_is_virtual_or_too_old() {
        let lines = [
            "app 1; virtual (>= 2), lib (>= 5)",
            "lib 4",
            "new 1;; lib (= 5)",
            "old 1;; virtual",
            "right 1;; virtual (= 3)",
        ];
        assert_eq!(
            names(&[&["app"]], &lines).unwrap(),
            [["app", "new", "right"]]
        );
    }

    #[test]
    fn what_only_scripts_need_is_left_out_unless_named() {
        let lines = [
            "app 1; debconf (>= 1) | debconf-2.0, perl-base",
            "openssl 1",
            "ca 1; openssl",
            "debconf 2",
            "perl-base 5",
            "perl 5; perl-base (= 5)",
        ];
        assert_eq!(names(&[&["app", "ca"]], &lines).unwrap(), [["app", "ca"]]);
        assert_eq!(names(&[&["openssl"]], &lines).unwrap(), [["openssl"]]);
        assert_eq!(
            names(&[&["perl"]], &lines).unwrap(),
            [["perl", "perl-base"]]
        );
    }

    #[test]
    fn says_what_is_missing_and_for_whom() {
        assert_eq!(
            names(&[&["app"]], &["app 1; lib (>= 2) | other", "lib 1"]),
            Err(Unresolved::Unsatisfied {
                package: "app".into(),
                relation: "lib (>= 2) | other".into()
            })
        );
        assert_eq!(
            names(&[&["nothing"]], &["app 1"]),
            Err(Unresolved::NoPackage("nothing".into()))
        );
    }
}
