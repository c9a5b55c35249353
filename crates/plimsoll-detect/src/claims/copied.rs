//! Directories of the tree that scripts and Dockerfiles copy to other places of it: `cd web && npm run build && cp -r
//! dist/* ../api/static`. Nothing is run; what needs a shell to be known stays unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::Span;

use crate::claims::Reviewed;
use crate::claims::dockerfile::{Dockerfile, Laid, Stage};
use crate::claims::start_scripts::{assignment, commands, substituted};
use crate::document::Item;
use crate::places;
use crate::tree::Tree;

/// A directory whose files come to lie in another one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// Where it is said.
    pub(crate) span: Span,
}

/// Lines of one file that are looked at.
const LINES: usize = 2_000;

/// What stands before a command and changes nothing of it.
const BEFORE: &[&str] = &["sudo", "npx", "shx", "exec", "then", "do", "else", "(", "{"];

/// Everything that is copied, as far as files of the tree say.
pub(crate) fn read(tree: &Tree, reviewed: &Reviewed) -> Vec<Copied> {
    let mut found = Vec::new();
    for file in tree.files() {
        if places::set_aside(&file.path).is_some() {
            continue;
        }
        let directory = file.path.parent().unwrap_or(Path::new(""));
        let name = file.path.file_name().and_then(|name| name.to_str());
        match name.unwrap_or_default() {
            "package.json" => {
                if let Some(text) = tree.manifest(&file.path) {
                    found.extend(of_manifest(tree, &file.path, text));
                }
            }
            "Makefile" | "makefile" | "justfile" => {
                let text = tree.source(&file.path).unwrap_or_default();
                let recipes = text.lines().enumerate().filter_map(|(index, line)| {
                    let recipe = line.strip_prefix(['\t', ' '])?.trim_start();
                    Some((index, recipe.trim_start_matches(['@', '-'])))
                });
                for (index, recipe) in recipes.take(LINES) {
                    let mut walk = Walk::new(tree, directory, tree.shown(&file.path));
                    walk.line(recipe, index as u32 + 1);
                    found.extend(walk.found);
                }
            }
            name if name.ends_with(".sh") || name.ends_with(".bash") => {
                let text = tree.source(&file.path).unwrap_or_default();
                // Most are started from the root, some from where they lie.
                for base in BTreeSet::from([Path::new(""), directory]) {
                    let mut walk = Walk::new(tree, base, tree.shown(&file.path));
                    for (index, line) in text.lines().enumerate().take(LINES) {
                        walk.line(line, index as u32 + 1);
                    }
                    found.extend(walk.found);
                }
            }
            _ => {}
        }
    }
    for file in &reviewed.files {
        found.extend(of_dockerfile(tree, file, reviewed.context(file)));
    }
    found
}

/// What the scripts of a `package.json` copy.
fn of_manifest(tree: &Tree, path: &Path, text: String) -> Vec<Copied> {
    let shown = tree.shown(path);
    let Some(manifest) = Item::json(&shown, text) else {
        return Vec::new();
    };
    let directory = path.parent().unwrap_or(Path::new(""));
    let scripts = manifest.entries(&["scripts"]).iter();
    scripts
        .flat_map(|(_, script)| {
            let mut walk = Walk::new(tree, directory, shown.clone());
            walk.line(script.as_text().unwrap_or_default(), 1);
            walk.found.into_iter().map(|copied| Copied {
                span: script.place.in_file(shown.clone()),
                ..copied
            })
        })
        .collect()
}

/// The commands of a script, one after the other.
struct Walk<'t> {
    tree: &'t Tree,
    base: PathBuf,
    directory: PathBuf,
    variables: BTreeMap<String, String>,
    /// Directories that are not there any more.
    removed: BTreeSet<PathBuf>,
    shown: Arc<Path>,
    found: Vec<Copied>,
}

impl<'t> Walk<'t> {
    fn new(tree: &'t Tree, base: &Path, shown: Arc<Path>) -> Self {
        Self {
            tree,
            base: base.to_owned(),
            directory: base.to_owned(),
            variables: BTreeMap::new(),
            removed: BTreeSet::new(),
            shown,
            found: Vec::new(),
        }
    }

    fn line(&mut self, line: &str, number: u32) {
        for mut words in commands(line) {
            for word in &mut words {
                *word = substituted(word, &self.variables);
            }
            let plain = words
                .iter()
                .skip_while(|word| BEFORE.contains(&word.as_str()));
            let plain: Vec<&str> = plain.map(String::as_str).collect();
            self.command(&plain, number);
        }
    }

    fn command(&mut self, words: &[&str], number: u32) {
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        if let Some((name, value)) = assignment(first).filter(|_| rest.is_empty()) {
            self.variables.insert(name.to_owned(), value.to_owned());
            return;
        }
        let rest: Vec<&str> = rest
            .iter()
            .copied()
            .filter(|word| !word.starts_with('-'))
            .collect();
        match *first {
            "cd" | "pushd" => {
                let target = rest.first().copied().unwrap_or_default();
                self.directory = self.place(target).unwrap_or_else(|| self.base.clone());
            }
            "popd" => self.directory.clone_from(&self.base),
            "rm" | "rimraf" => {
                let gone: Vec<PathBuf> = rest.iter().filter_map(|word| self.place(word)).collect();
                self.removed.extend(gone);
            }
            "cp" | "rsync" | "ncp" | "cpx" => {
                if let Some((to, sources)) = rest.split_last() {
                    for source in sources {
                        self.copy(first, source, to, number);
                    }
                }
            }
            _ => {}
        }
    }

    fn copy(&mut self, program: &str, source: &str, to: &str, number: u32) {
        let content = ["/**/*", "/**", "/*", "/."]
            .iter()
            .find_map(|end| source.strip_suffix(end))
            .or_else(|| source.strip_suffix('/').filter(|_| program == "rsync"));
        let whole = content.unwrap_or(source);
        let (Some(from), Some(mut place)) = (self.place(whole), self.place(to)) else {
            return;
        };
        let into = to.ends_with('/') || self.tree.has_directory(&place) || program == "rsync";
        let is_there = into && !self.removed.contains(&place);
        if content.is_none() && is_there && program != "ncp" {
            place.extend(from.file_name());
        }
        self.found.push(Copied {
            from,
            to: place,
            span: Span::line(self.shown.clone(), number),
        });
    }

    /// A place that a word names; none where only a shell would know it.
    fn place(&self, word: &str) -> Option<PathBuf> {
        let unknown = word.contains(['$', '*', '~', '`']) || word.is_empty();
        (!unknown).then(|| places::within(&self.directory, word))?
    }
}

/// What the image takes out of its other stages.
fn of_dockerfile(tree: &Tree, file: &Dockerfile, context: &Path) -> Vec<Copied> {
    let mut found = Vec::new();
    for index in 0..file.stages.len() {
        for taken in file.taken(index) {
            let earlier = &file.stages[..index];
            let by_number = || taken.stage.parse::<usize>().ok();
            let named = |stage: &Stage| stage.name.as_deref() == Some(taken.stage.as_str());
            let source = earlier.iter().rposition(named).or_else(by_number);
            let Some(source) = source.filter(|source| *source < index) else {
                continue;
            };
            let from = in_tree(tree, context, &file.laid(source), &taken.laid.source);
            let to = in_tree(
                tree,
                context,
                &file.laid(index),
                places::text(&taken.laid.place),
            );
            if let (Some(from), Some(to)) = (from, to) {
                found.push(Copied {
                    from,
                    to,
                    span: taken.span.clone(),
                });
            }
        }
    }
    found
}

/// The directory of the tree that a place of an image was, or would be.
fn in_tree(tree: &Tree, context: &Path, laid: &[Laid], place: &str) -> Option<PathBuf> {
    let place: PathBuf = Path::new(place).components().collect();
    let directories = laid.iter().filter_map(|laid| {
        let source = places::within(context, laid.source.trim_start_matches('/'))?;
        let whole = source.as_os_str().is_empty() || tree.has_directory(&source);
        let rest = place.strip_prefix(&laid.place).ok().filter(|_| whole)?;
        Some((laid.place.components().count(), source.join(rest)))
    });
    let closest = directories.max_by_key(|(depth, _)| *depth)?;
    Some(closest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(files: &[(&str, &str)]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let tree = Tree::read(directory.path()).unwrap();
        let reviewed = Reviewed::read(&tree);
        let mut found: Vec<String> = read(&tree, &reviewed)
            .iter()
            .map(|one| {
                let line = one.span.start.line;
                format!("{line}: {} -> {}", one.from.display(), one.to.display())
            })
            .collect();
        found.dedup();
        found
    }

    #[test]
    fn scripts_copy_what_they_built() {
        let pages = ("web/index.html", "");
        let shell = |text: &str| copied(&[pages, ("build.sh", text)]);
        assert_eq!(
            shell("cd web\nnpm run build\nrm -rf ../api/static/*\ncp -a ./build/. ../api/static\n"),
            ["4: web/build -> api/static"]
        );
        assert_eq!(
            shell("OUT=\"api/static\"\nif true; then\n  cp -r web/out/* \"$OUT/\"\nfi\n"),
            ["3: web/out -> api/static"]
        );
        assert_eq!(
            shell("rsync -a --delete web/dist/ api/static\n"),
            ["1: web/dist -> api/static"]
        );
        assert_eq!(
            shell("cp -r $FROM/dist api\ncp -r web/dist /srv\n"),
            [""; 0]
        );
        // A script that goes from where it lies.
        assert!(
            copied(&[
                pages,
                ("api/build.sh", "cd ../web\ncp -r dist ../api/public\n")
            ])
            .contains(&"2: web/dist -> api/public".to_owned())
        );
        let manifest = |script: &str, file: &str| {
            let text = format!("{{\n\"scripts\": {{\n\"build\": \"{script}\"}}}}");
            copied(&[("web/package.json", &text), (file, "")])
        };
        let build = "next build && cp -r out ../api/public";
        assert_eq!(manifest(build, "api/main.py"), ["3: web/out -> api/public"]);
        assert_eq!(
            manifest(build, "api/public/x"),
            ["3: web/out -> api/public/out"]
        );
        let anew = "next build && npx shx rm -rf ../api/public && npx shx cp -r out ../api/public";
        assert_eq!(manifest(anew, "api/public/x"), ["3: web/out -> api/public"]);
        assert_eq!(
            copied(&[
                pages,
                (
                    "Makefile",
                    "all:\n\t@cd web && npm run build && cp -r dist/* ../api/static/\n"
                )
            ]),
            ["2: web/dist -> api/static"]
        );
    }

    #[test]
    fn images_take_what_other_stages_built() {
        let image = |text: &str| {
            copied(&[
                ("web/index.html", ""),
                ("api/main.py", ""),
                ("Dockerfile", text),
            ])
        };
        assert_eq!(
            image(
                "FROM node:22 AS pages\nWORKDIR /app/web\nCOPY web/ .\nRUN npm run build\n\
                 FROM python:3.13\nWORKDIR /app\nCOPY api/ api/\nCOPY --from=pages --chown=1:1 /app/web/build /app/api/static\n"
            ),
            ["8: web/build -> api/static"]
        );
        assert_eq!(
            image(
                "FROM node:22\nWORKDIR /src\nCOPY . .\nRUN cd web && npm run build\n\
                 FROM python:3.13\nWORKDIR /srv/api\nCOPY ./api .\nCOPY --from=0 /src/web/dist ./static/\n"
            ),
            ["8: web/dist -> api/static"]
        );
        // Another image is no stage, and what is laid nowhere in the tree is no directory of it.
        assert_eq!(
            image("FROM nginx\nCOPY --from=golang:1.24 /usr/local/go /go\n"),
            [""; 0]
        );
    }
}
