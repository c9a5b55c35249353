//! Which change of which file leads to what. Pure: the file system's events come in, work goes out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plimsoll_image::IgnoreRules;
use plimsoll_model::{Project, Service, Watch, WatchAction};

/// What no program is made from: other tools write there all the time.
const NEVER: [&str; 14] = [
    "**/.git",
    "**/.hg",
    "**/.svn",
    "**/.venv",
    "**/node_modules",
    "**/__pycache__",
    "**/.mypy_cache",
    "**/.pytest_cache",
    "**/.ruff_cache",
    "**/.DS_Store",
    "**/*~",
    "**/*.swp",
    "**/*.swx",
    "**/.#*",
];

/// The rules of all services that are watched.
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
}

/// One rule of one service.
pub(super) struct Rule {
    pub(super) service: String,
    pub(super) watch: Watch,
    /// What does not count, by the directory that its patterns start from.
    ignored: Vec<(PathBuf, IgnoreRules)>,
    included: Option<IgnoreRules>,
}

/// A path that changed, as a rule sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// On the host.
    pub(super) source: PathBuf,
    /// In the container, where the rule copies.
    pub(super) target: Option<PathBuf>,
}

/// What a batch of events asks for, by the number of the rule.
pub(super) type Work = BTreeMap<usize, BTreeSet<Change>>;

impl Rules {
    /// The rules that the services `started` state. Where the project states none at all, every
    /// image that is assembled from source is built again when its source changes.
    pub(super) fn of(project: &Project, started: &[String]) -> Self {
        let services = || started.iter().filter_map(|name| project.services.get(name));
        let stated = project
            .services
            .values()
            .any(|service| !service.watch.is_empty());
        let rules = services().flat_map(|service| {
            let rules: Vec<Watch> = if stated {
                service
                    .watch
                    .iter()
                    .map(|rule| rule.value.clone())
                    .collect()
            } else {
                context(service)
                    .map(|path| Watch {
                        path,
                        action: WatchAction::Rebuild,
                        target: None,
                        include: Vec::new(),
                        ignore: Vec::new(),
                        initial_sync: false,
                    })
                    .into_iter()
                    .collect()
            };
            rules.into_iter().map(|watch| Rule::new(service, watch))
        });
        Self {
            rules: rules.collect(),
        }
    }

    /// The services into whose containers files are copied.
    pub(super) fn synchronised(&self) -> BTreeSet<String> {
        self.rules
            .iter()
            .filter(|rule| rule.watch.action.copies())
            .map(|rule| rule.service.clone())
            .collect()
    }

    /// What a changed path asks for.
    pub(super) fn add(&self, path: &Path, work: &mut Work) {
        for (number, rule) in self.rules.iter().enumerate() {
            if let Some(change) = rule.change(path) {
                work.entry(number).or_default().insert(change);
            }
        }
    }
}

impl Rule {
    fn new(service: &Service, watch: Watch) -> Self {
        let patterns =
            |patterns: &[String]| IgnoreRules::from_patterns(patterns.iter().map(String::as_str));
        let mut ignored = vec![
            (watch.path.clone(), IgnoreRules::from_patterns(NEVER)),
            (watch.path.clone(), patterns(&watch.ignore)),
        ];
        // What stays out of the image is no part of the program, so it need not be in its container.
        if let Some(context) = context(service)
            && let Ok(text) = fs_err::read_to_string(context.join(".dockerignore"))
        {
            ignored.push((context, IgnoreRules::parse(&text)));
        }
        Self {
            service: service.name.clone(),
            included: (!watch.include.is_empty()).then(|| patterns(&watch.include)),
            ignored,
            watch,
        }
    }

    /// The change of a path, if it counts.
    pub(super) fn change(&self, path: &Path) -> Option<Change> {
        let below = path.strip_prefix(&self.watch.path).ok()?;
        let covered = |base: &Path, rules: &IgnoreRules| {
            path.strip_prefix(base)
                .is_ok_and(|below| rules.covers(&components(below)))
        };
        if self
            .ignored
            .iter()
            .any(|(base, rules)| covered(base, rules))
        {
            return None;
        }
        if let Some(included) = &self.included
            && !included.covers(&components(below))
        {
            return None;
        }
        Some(Change {
            source: path.to_owned(),
            target: self.watch.target.as_ref().map(|target| {
                if below.as_os_str().is_empty() {
                    target.clone()
                } else {
                    target.join(below)
                }
            }),
        })
    }
}

/// The directory that a service's image is made from.
fn context(service: &Service) -> Option<PathBuf> {
    match (&service.recipe, &service.build) {
        (Some(recipe), _) => Some(recipe.context.clone()),
        (None, Some(build)) => Some(build.context.value.clone()),
        (None, None) => None,
    }
}

fn components(path: &Path) -> Vec<&str> {
    path.components()
        .filter_map(|component| component.as_os_str().to_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::Spanned;
    use plimsoll_model::Build;

    use super::*;

    fn watch(action: WatchAction) -> Watch {
        Watch {
            path: "/p/web".into(),
            action,
            target: Some("/app".into()),
            include: Vec::new(),
            ignore: vec!["*.log".to_owned(), "cache/".to_owned()],
            initial_sync: false,
        }
    }

    fn project(rules: Vec<Watch>) -> Project {
        let service = Service {
            name: "web".to_owned(),
            watch: rules.into_iter().map(Spanned::unplaced).collect(),
            build: Some(Build {
                context: Spanned::unplaced("/p/web".into()),
                ..Build::default()
            }),
            ..Service::default()
        };
        let mut project = Project::default();
        project.services.insert("web".to_owned(), service);
        project
    }

    fn targets(rules: &Rules, paths: &[&str]) -> Vec<String> {
        let mut work = Work::new();
        for path in paths {
            rules.add(Path::new(path), &mut work);
        }
        let changes = work.into_values().flatten();
        changes
            .map(|change| change.target.unwrap_or_default().display().to_string())
            .collect()
    }

    #[test]
    fn a_path_becomes_one_of_the_container() {
        let rules = Rules::of(
            &project(vec![watch(WatchAction::Sync)]),
            &["web".to_owned()],
        );
        assert_eq!(
            targets(
                &rules,
                &[
                    "/p/web/a.py",
                    "/p/web/b/c.py",
                    "/p/webb/a.py",
                    "/p/web/x.log",
                    "/p/web/cache/x",
                    "/p/web/.git/index",
                    "/p/web/b/.c.py.swp",
                ]
            ),
            ["/app/a.py", "/app/b/c.py"]
        );
        assert_eq!(rules.synchronised().len(), 1);
    }

    #[test]
    fn only_what_is_included_counts() {
        let mut rule = watch(WatchAction::Sync);
        rule.include = vec!["**/*.py".to_owned()];
        let rules = Rules::of(&project(vec![rule]), &["web".to_owned()]);
        assert_eq!(
            targets(&rules, &["/p/web/a.py", "/p/web/a.txt", "/p/web/b/c.py"]),
            ["/app/a.py", "/app/b/c.py"]
        );
    }

    #[test]
    fn a_project_that_states_nothing_is_built_again() {
        let rules = Rules::of(&project(Vec::new()), &["web".to_owned()]);
        assert_eq!(rules.rules.len(), 1);
        assert_eq!(rules.rules[0].watch.action, WatchAction::Rebuild);
        assert!(rules.synchronised().is_empty());
        // What was not started is not watched.
        assert!(Rules::of(&project(Vec::new()), &[]).rules.is_empty());
    }
}
