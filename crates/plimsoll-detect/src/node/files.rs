//! The files of a package, and how imports lead from one to another.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use plimsoll_diag::Span;

use super::aliases::Aliases;
use super::facts::FileFacts;
use super::manifest::Package;
use super::shelf::{Contents, Shelf, Sibling};
use crate::places;

/// The files of a package, and of the packages of the tree that it is built from.
pub(crate) struct Files<'t> {
    own: Rc<Contents>,
    siblings: Vec<Sibling<'t>>,
    aliases: Aliases,
}

impl<'t> Files<'t> {
    pub(crate) fn of(shelf: &Shelf<'t>, package: &Package) -> Self {
        Self {
            own: shelf.contents(package),
            siblings: shelf.siblings(package),
            aliases: Aliases::read(shelf.tree, &package.directory),
        }
    }

    /// The package that a file belongs to, where that is one that the package is built from.
    pub(crate) fn sibling_of(&self, path: &Path) -> Option<&'t Package> {
        self.siblings
            .iter()
            .find(|sibling| sibling.contents.contains_key(path))
            .map(|sibling| sibling.package)
    }

    fn get(&self, path: &Path) -> Option<(&Path, &FileFacts)> {
        std::iter::once(&self.own)
            .chain(self.siblings.iter().map(|sibling| &sibling.contents))
            .find_map(|contents| contents.get_key_value(path))
            .map(|(path, facts)| (path.as_path(), facts))
    }

    /// The source file that a command's argument means: itself, or what it is compiled from.
    pub(crate) fn entry(&self, directory: &Path, argument: &str) -> Option<PathBuf> {
        let path = places::within(directory, argument)?;
        if let Some(found) = self.file(&path) {
            return Some(found);
        }
        // `dist/src/x.js` and `dist/x.js` come from `src/x.ts` or `x.ts`; `server/dist/x.js` from the same in `server`, or
        // below the package where the compiler keeps its directories.
        let inside = places::below(&path, directory);
        let mut parts = inside.components();
        let mut part = directory.to_owned();
        loop {
            match parts.next()?.as_os_str().to_str()? {
                "dist" | "build" | "out" | "lib" | ".build" => break,
                other => part.push(other),
            }
        }
        let rest = parts.as_path();
        let places = [
            part.join(rest),
            part.join("src").join(rest),
            directory.join(rest),
        ];
        // A compiled copy that was left beside its source is not what is compiled.
        let typed = places.iter().find_map(|path| self.typed(path));
        typed
            .or_else(|| places.iter().find_map(|path| self.file(path)))
            .or_else(|| {
                let name = rest.file_name()?;
                self.file(&part.join("src").join(name))
            })
    }

    /// The source that the name of another package of the tree leads to: `@tide/store`, `@tide/store/rows`.
    fn of_sibling(&self, import: &str) -> Option<PathBuf> {
        let (package, rest) = self.siblings.iter().find_map(|sibling| {
            let rest = import.strip_prefix(sibling.package.name.as_deref()?)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((sibling.package, rest))
        })?;
        let directory = &package.directory;
        let stated = package.exports.file(rest);
        if let Some(found) = stated.and_then(|file| self.entry(directory, &file)) {
            return Some(found);
        }
        if !rest.is_empty() {
            let rest = rest.trim_start_matches('/');
            return [directory.join("src").join(rest), directory.join(rest)]
                .iter()
                .find_map(|path| self.file(path));
        }
        let main = package.main.as_deref().unwrap_or("index.js");
        self.entry(directory, main).or_else(|| {
            ["src/index", "index", "src/main"]
                .iter()
                .find_map(|usual| self.file(&directory.join(usual)))
        })
    }

    /// The TypeScript that a path of JavaScript is compiled from.
    fn typed(&self, path: &Path) -> Option<PathBuf> {
        let end = path.extension()?.to_str()?;
        let ends: &[&str] = match end {
            "js" => &["ts", "tsx"],
            "mjs" => &["mts"],
            "cjs" => &["cts"],
            _ => return None,
        };
        ends.iter()
            .map(|end| path.with_extension(end))
            .find(|path| self.get(path).is_some())
    }

    /// The file that an import of `path` means.
    fn file(&self, path: &Path) -> Option<PathBuf> {
        if self.get(path).is_some() {
            return Some(path.to_owned());
        }
        let stem = match path.extension().and_then(|end| end.to_str()) {
            Some("js" | "mjs" | "cjs" | "jsx") => path.with_extension(""),
            _ => path.to_owned(),
        };
        let ends = ["ts", "tsx", "mts", "js", "jsx", "mjs", "cjs"];
        let with = |stem: &Path, end: &str| {
            let mut name = stem.file_name()?.to_owned();
            name.push(format!(".{end}"));
            Some(stem.with_file_name(name))
        };
        ends.iter()
            .filter_map(|end| with(&stem, end))
            .chain(ends.iter().map(|end| path.join(format!("index.{end}"))))
            .find(|path| self.get(path).is_some())
    }

    /// Files that an entry point reaches by imports, itself included; for none those that any of the package's own
    /// reaches, save what only tools of its development read.
    pub(crate) fn reached(
        &self,
        directory: &Path,
        entry: Option<&Path>,
    ) -> Vec<(&Path, &FileFacts)> {
        let mut open: VecDeque<PathBuf> = match entry {
            Some(entry) => VecDeque::from([entry.to_owned()]),
            None => {
                let own = self.own.keys();
                own.filter(|path| !configures_a_tool(path))
                    .cloned()
                    .collect()
            }
        };
        let mut seen: BTreeSet<PathBuf> = open.iter().cloned().collect();
        let mut found = Vec::new();
        while let Some(path) = open.pop_front() {
            let Some((path, facts)) = self.get(&path) else {
                continue;
            };
            found.push((path, facts));
            for (import, _) in &facts.imports {
                if let Some(target) = self.imported(directory, path, import)
                    && seen.insert(target.clone())
                {
                    open.push_back(target);
                }
            }
        }
        found
    }

    /// The file of the package that an import means; `None` for a distribution.
    pub(crate) fn imported(&self, directory: &Path, from: &Path, import: &str) -> Option<PathBuf> {
        if import.starts_with('.') {
            let path = places::within(from.parent().unwrap_or(Path::new("")), import)?;
            let is_typed = from
                .extension()
                .is_some_and(|end| matches!(end.to_str(), Some("ts" | "tsx" | "mts" | "cts")));
            return is_typed
                .then(|| self.typed(&path))
                .flatten()
                .or_else(|| self.file(&path));
        }
        if let Some(target) = self.of_sibling(import) {
            return Some(target);
        }
        let aliased = self.aliases.places(import);
        if let Some(target) = aliased.iter().find_map(|path| self.file(path)) {
            return Some(target);
        }
        let directory = self
            .sibling_of(from)
            .map_or(directory, |package| package.directory.as_path());
        // Aliases that `tsconfig.json` usually gives the sources.
        let rest = ["@/", "~/", "src/", "#"]
            .iter()
            .find_map(|start| import.strip_prefix(start))?;
        [directory.join("src").join(rest), directory.join(rest)]
            .iter()
            .find_map(|path| self.file(path))
    }

    /// Paths that answer GET in some of the files, whole as far as it is plain where their routers
    /// are mounted.
    pub(crate) fn answers(
        &self,
        directory: &Path,
        reached: &[(&Path, &FileFacts)],
    ) -> Vec<(String, Span)> {
        let everywhere: String = reached
            .iter()
            .flat_map(|(_, facts)| &facts.mounts)
            .find(|(_, router)| router == "*")
            .map(|(path, _)| path.clone())
            .unwrap_or_default();
        let mut found = Vec::new();
        for (path, facts) in reached {
            for answer in &facts.routes {
                let here = facts
                    .mounts
                    .iter()
                    .find(|(_, router)| *router == answer.router && router != "@");
                let prefix = match here {
                    Some((prefix, _)) => prefix.clone(),
                    None if matches!(
                        answer.router.as_str(),
                        "@" | "app" | "server" | "fastify"
                    ) =>
                    {
                        everywhere.clone()
                    }
                    None => self.mounted_at(directory, reached, path),
                };
                let whole = format!("{}{}", prefix.trim_end_matches('/'), answer.path);
                let whole = match whole.trim_end_matches('/') {
                    "" => "/".to_owned(),
                    whole => whole.to_owned(),
                };
                found.push((whole, answer.span.clone()));
            }
        }
        found
    }

    /// The path that another file mounts a file's router at.
    fn mounted_at(&self, directory: &Path, reached: &[(&Path, &FileFacts)], file: &Path) -> String {
        for (path, facts) in reached {
            for (prefix, router) in &facts.mounts {
                let target = facts
                    .names
                    .get(router)
                    .and_then(|module| self.imported(directory, path, module));
                if target.as_deref() == Some(file) {
                    return prefix.clone();
                }
            }
        }
        String::new()
    }

    /// Whether any of them makes a server of the Model Context Protocol.
    pub(crate) fn make_mcp(&self, directory: &Path) -> bool {
        let reached = self.reached(directory, None);
        reached.iter().any(|(_, facts)| {
            facts.makes_mcp || facts.mcp_http.is_some() || facts.sources.stdio_transport.is_some()
        })
    }

    /// Files whose names say that they answer below a path, as Next's do.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.own.keys().map(PathBuf::as_path)
    }
}

/// Tools that no server runs, each with a file `NAME.config.ts` beside the manifest.
const TOOLS: &[&str] = &[
    "commitlint",
    "cypress",
    "drizzle",
    "eslint",
    "graphql",
    "jest",
    "knip",
    "lint-staged",
    "playwright",
    "postcss",
    "prettier",
    "tailwind",
    "vitest",
];

/// Whether a file says how a tool of development works: what it reads is not missed where the application runs.
fn configures_a_tool(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let tool = name.and_then(|name| name.split_once(".config."));
    tool.is_some_and(|(tool, _)| TOOLS.contains(&tool))
}
