//! `plimsoll.lock`: the versions that were settled where a project's own files leave them open.
//!
//! It stands in the project's directory and belongs into version control. It names versions and
//! hashes, never the address of an index. What the user's own lock files settle is not in it.
//! Builders ask it before they resolve and tell it what they resolved; the binary says where it is
//! and whether it may change.

mod file;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plimsoll_diag::{Diagnostic, Span};
use thiserror::Error;

pub(crate) use text::Settled;
use text::{Content, ReadError};

use crate::Digest;

/// The file's name.
pub const NAME: &str = "plimsoll.lock";

/// Whether the file may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockPolicy {
    /// What it does not settle is settled, and written down.
    #[default]
    Update,
    /// What it does not settle is settled, and written down outside of the project.
    Aside,
    /// What it does not settle is an error.
    Locked,
}

/// The lock file of one project, for the time of one command.
#[derive(Debug)]
pub struct ProjectLock {
    /// Where it belongs.
    path: PathBuf,
    /// Where it is kept when the project's directory cannot be written to.
    aside: PathBuf,
    policy: LockPolicy,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    content: Content,
    /// What to say about the file as it was found.
    notice: Option<Diagnostic>,
    /// What this command settled, by name and version.
    packages: BTreeSet<String>,
    /// The newest of the moments that it was settled as of.
    as_of: Option<String>,
    /// What is to be settled once the images that need it are made.
    pending: Vec<Settled>,
    is_aside: bool,
    has_changed: bool,
}

/// What one command changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockChange {
    /// The file that was written.
    pub path: PathBuf,
    /// How many packages were settled.
    pub packages: usize,
    /// Versions published after this moment (RFC 3339) did not count.
    pub as_of: Option<String>,
    /// Whether it had to be kept outside of the project.
    pub is_aside: bool,
}

/// The lock file cannot be used, or not without a change.
#[derive(Debug, Error)]
pub enum LockError {
    /// It is no lock file.
    #[error("this is no lock file of Plimsoll's: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
        /// Where.
        span: Span,
        /// Whether Plimsoll wrote it, and only then something happened to it.
        is_ours: bool,
    },
    /// It may not change, and lacks something.
    #[error("{NAME} does not settle `{what}` as it is now, and may not change")]
    Unsettled {
        /// The file that leaves versions open.
        what: String,
        /// Where the lock file is, or would be.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl LockError {
    /// The error with its place and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::Malformed { span, is_ours, .. } => {
                diagnostic.at(span.clone()).hint(if *is_ours {
                    "take it from version control, or build without `--locked` to settle it anew"
                } else {
                    "move it away: Plimsoll overwrites only what it wrote"
                })
            }
            Self::Unsettled { .. } => diagnostic.hint(format!(
                "build without `--locked`, and put {NAME} into version control"
            )),
            Self::Io(_) => diagnostic,
        }
    }
}

impl ProjectLock {
    /// Reads the lock file of the project in `directory`. Where that cannot be written to, what is
    /// settled is kept in `aside`.
    ///
    /// A file that Plimsoll wrote and that got damaged counts as a source of preferred versions,
    /// unless it may not change.
    ///
    /// # Errors
    /// When there is a file that cannot be read or that Plimsoll did not write.
    pub fn open(directory: &Path, aside: &Path, policy: LockPolicy) -> Result<Self, LockError> {
        let path = directory.join(NAME);
        let hashed = Digest::of(directory.as_os_str().as_encoded_bytes());
        let aside = aside.join(format!("{}.lock", hashed.short()));
        let mut state = State {
            is_aside: policy == LockPolicy::Aside,
            ..State::default()
        };
        let (found, place) = match file::read(&path)? {
            Some(text) => (Some(text), &path),
            None => (file::read(&aside)?, &aside),
        };
        if let Some(text) = found {
            state.is_aside |= place == &aside;
            state.content = match Content::parse(&text) {
                Ok(content) => content,
                Err(ReadError { line, reason }) => {
                    let is_ours = text::is_ours(&text);
                    let span = Span::line(shown(place, directory), line);
                    if !is_ours || policy == LockPolicy::Locked {
                        return Err(LockError::Malformed {
                            reason,
                            span,
                            is_ours,
                        });
                    }
                    let told = format!("{NAME} is damaged and is made anew: {reason}");
                    state.notice = Some(
                        Diagnostic::warning(told)
                            .at(span)
                            .hint("versions that can still be read in it are kept where they fit"),
                    );
                    state.has_changed = true;
                    Content::salvaged(&text)
                }
            };
        }
        Ok(Self {
            path,
            aside,
            policy,
            state: Mutex::new(state),
        })
    }

    /// What was wrong with the file, the first time it is asked.
    pub fn take_notice(&self) -> Option<Diagnostic> {
        self.state().notice.take()
    }

    /// What changed since the file was opened.
    pub fn change(&self) -> Option<LockChange> {
        let state = self.state();
        (state.has_changed && !state.packages.is_empty()).then(|| LockChange {
            path: match state.is_aside {
                true => self.aside.clone(),
                false => self.path.clone(),
            },
            packages: state.packages.len(),
            as_of: state.as_of.clone(),
            is_aside: state.is_aside,
        })
    }

    /// Where it belongs.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file as the lock file writes it: relative to the project.
    pub(crate) fn relative(&self, path: &Path) -> String {
        let directory = self.path.parent().unwrap_or(Path::new(""));
        let below = path.strip_prefix(directory).unwrap_or(path);
        below.to_string_lossy().into_owned()
    }

    /// What is settled for these inputs, preferably for this interpreter.
    pub(crate) fn find(&self, wanted: &Settled, python: Option<&str>) -> Option<Settled> {
        let state = self.state();
        let mut entries = state.content.entries.iter().chain(&state.pending);
        entries
            .find(|entry| entry.is_for(wanted) && python.is_none_or(|minor| entry.python == minor))
            .cloned()
    }

    /// Announces what will be settled, so that other services of the same files take it as well.
    pub(crate) fn expect(&self, settled: Settled) {
        self.state().pending.push(settled);
    }

    /// Whether something is announced and not yet written down.
    pub(crate) fn is_pending(&self, settled: &Settled) -> bool {
        self.state().pending.contains(settled)
    }

    /// Versions that were settled for the same files before, as a requirements file.
    pub(crate) fn preferred(&self, wanted: &Settled) -> String {
        let state = self.state();
        let same = |platform: bool| {
            state.content.entries.iter().find(move |entry| {
                entry.files == wanted.files && (!platform || entry.platform == wanted.platform)
            })
        };
        match same(true).or_else(|| same(false)) {
            Some(entry) => entry.requirements.clone(),
            None => state.content.salvaged.clone(),
        }
    }

    /// Whether something may be settled anew.
    pub(crate) fn check(&self, wanted: &Settled) -> Result<(), LockError> {
        match self.policy {
            LockPolicy::Update | LockPolicy::Aside => Ok(()),
            LockPolicy::Locked => Err(LockError::Unsettled {
                what: wanted.files.first().cloned().unwrap_or_default(),
                path: self.path.clone(),
            }),
        }
    }

    /// Writes down what was settled. Another process may have written meanwhile; what it settled
    /// stays.
    pub(crate) fn settle(&self, settled: Settled) -> Result<(), LockError> {
        self.check(&settled)?;
        let mut state = self.state();
        let before: BTreeSet<String> = state
            .content
            .entries
            .iter()
            .flat_map(Settled::packages)
            .collect();
        let target = match state.is_aside {
            true => &self.aside,
            false => &self.path,
        };
        let written = match self.write(target, &settled) {
            Err(error) if file::is_read_only(&error) && !state.is_aside => {
                state.is_aside = true;
                self.write(&self.aside, &settled)?
            }
            other => other?,
        };
        let new = settled
            .packages()
            .filter(|package| !before.contains(package));
        state.packages.extend(new);
        state.as_of = state.as_of.take().max(settled.as_of.clone());
        state.pending.retain(|pending| *pending != settled);
        state.content = written;
        state.has_changed = true;
        Ok(())
    }

    fn write(&self, path: &Path, settled: &Settled) -> std::io::Result<Content> {
        file::update(path, |text| {
            let mut content = text
                .and_then(|text| Content::parse(text).ok())
                .unwrap_or_default();
            content.put(settled.clone());
            content
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(path: &Path, directory: &Path) -> PathBuf {
    path.strip_prefix(directory).unwrap_or(path).to_path_buf()
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    fn settled(files: &str, inputs: &str, requirements: &str) -> Settled {
        Settled {
            files: vec![files.to_string()],
            inputs: inputs.to_string(),
            python: "3.13".to_string(),
            platform: "linux/amd64".to_string(),
            requirements: requirements.to_string(),
            ..Settled::default()
        }
    }

    fn open(root: &Path, policy: LockPolicy) -> Result<ProjectLock, LockError> {
        ProjectLock::open(&root.join("project"), &root.join("aside"), policy)
    }

    #[test]
    fn what_is_tried_leaves_the_project_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("project")).unwrap();
        let one = settled("a.txt", "sha256:1", "idna==3.7\n");
        open(root.path(), LockPolicy::Aside)
            .unwrap()
            .settle(one.clone())
            .unwrap();
        assert!(!root.path().join("project").join(NAME).exists());
        let again = open(root.path(), LockPolicy::Aside).unwrap();
        assert_eq!(again.find(&one, None), Some(one.clone()));
    }

    #[test]
    fn what_is_settled_is_found_again_and_told_once() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("project")).unwrap();
        let lock = open(root.path(), LockPolicy::Update).unwrap();
        let one = settled("a.txt", "sha256:1", "idna==3.7 \\\n    --hash=sha256:00\n");
        assert!(lock.change().is_none() && lock.find(&one, None).is_none());
        lock.settle(one.clone()).unwrap();
        let two = settled("b.txt", "sha256:2", "idna==3.7\nanyio==4\n");
        lock.settle(two.clone()).unwrap();
        assert_eq!(lock.change().unwrap().packages, 2);
        let text = fs::read_to_string(root.path().join("project").join(NAME)).unwrap();
        insta::assert_snapshot!(text, @r"
        # Versions that Plimsoll settled where this project's own files leave them open.
        # Keep this file in version control. Remove it to settle everything anew.
        version = 1

        [[python]]
        files = ['a.txt']
        inputs = 'sha256:1'
        python = '3.13'
        platform = 'linux/amd64'
        requirements = '''
        idna==3.7 \
            --hash=sha256:00
        '''

        [[python]]
        files = ['b.txt']
        inputs = 'sha256:2'
        python = '3.13'
        platform = 'linux/amd64'
        requirements = '''
        idna==3.7
        anyio==4
        '''
        ");
        let again = open(root.path(), LockPolicy::Locked).unwrap();
        assert_eq!(again.find(&one, Some("3.13")), Some(one.clone()));
        assert_eq!(again.find(&one, Some("3.12")), None);
        assert!(again.change().is_none());
        // What was settled for the files as they were is replaced, and preferred before that.
        let changed = settled("a.txt", "sha256:9", "idna==3.7\nh11==1\n");
        assert!(matches!(
            again.settle(changed.clone()),
            Err(LockError::Unsettled { .. })
        ));
        let lock = open(root.path(), LockPolicy::Update).unwrap();
        assert_eq!(lock.preferred(&changed), one.requirements);
        lock.settle(changed.clone()).unwrap();
        assert_eq!(lock.change().unwrap().packages, 1);
        assert_eq!(lock.find(&one, None), None);
        assert_eq!(lock.find(&two, None), Some(two));
    }

    #[test]
    fn a_damaged_file_of_ours_is_made_anew_and_a_strangers_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("project").join(NAME);
        fs::create_dir(root.path().join("project")).unwrap();
        let one = settled("a.txt", "sha256:1", "idna==3.7 \\\n    --hash=sha256:00\n");
        let lock = open(root.path(), LockPolicy::Update).unwrap();
        lock.settle(one.clone()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let damaged = text.replace("python = '3.13'", "<<<<<<< HEAD\npython = '3.13'");
        fs::write(&path, &damaged).unwrap();
        let error = open(root.path(), LockPolicy::Locked).unwrap_err();
        assert!(matches!(&error, LockError::Malformed { span, .. } if span.start.line == 8));
        let lock = open(root.path(), LockPolicy::Update).unwrap();
        let notice = lock.take_notice().unwrap();
        assert!(notice.message.contains("is made anew"), "{notice}");
        assert!(lock.take_notice().is_none());
        assert_eq!(lock.preferred(&one), "idna==3.7\n");
        lock.settle(one).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        fs::write(&path, "somebody else's\n").unwrap();
        let error = open(root.path(), LockPolicy::Update).unwrap_err();
        assert!(matches!(error, LockError::Malformed { is_ours: false, .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's\n");
    }

    #[test]
    fn threads_and_processes_that_settle_at_once_lose_nothing() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("project")).unwrap();
        std::thread::scope(|scope| {
            for index in 0..8 {
                let root = root.path();
                scope.spawn(move || {
                    // Each has read the file before any other wrote it.
                    let lock = open(root, LockPolicy::Update).unwrap();
                    let file = format!("{index}.txt");
                    lock.settle(settled(&file, "sha256:1", "idna==3.7\n"))
                        .unwrap();
                });
            }
        });
        let text = fs::read_to_string(root.path().join("project").join(NAME)).unwrap();
        assert_eq!(Content::parse(&text).unwrap().entries.len(), 8);
        let entries = fs::read_dir(root.path().join("project")).unwrap();
        assert_eq!(entries.count(), 1, "nothing else is left behind");
    }
}
