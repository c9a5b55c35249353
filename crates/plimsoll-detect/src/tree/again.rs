//! Whether a look at a tree would see what an earlier one saw.

use super::reading::{Asked, Asking, Mattered, Saw, digest};
use super::{File, Tree};
use crate::claims::LoadedPaths;
use crate::go::GoFile;
use crate::memory::{AllMoves, FactKind, Facts, Key, Moves, key};
use crate::node::{FileFacts, Sources};
use crate::python::{Entry, LockText, Module};
use crate::rust::FileItems;

/// What came of asking again.
#[derive(Debug, Default)]
pub(crate) struct Again {
    /// Where things stand that edits moved.
    pub(crate) moves: AllMoves,
    /// Whether there is more to remember than before.
    pub(crate) renewed: bool,
}

impl Tree {
    /// Asks all that a look at a tree with the same listing asked. `None` where an answer is another one. The stamps and
    /// digests of files that changed and answer as before are the new ones afterwards.
    pub(crate) fn ask_again(&self, asking: &mut Asking) -> Option<Again> {
        let mut again = Again::default();
        let Asking {
            readings,
            questions,
        } = asking;
        for reading in readings {
            let file = self.files.get(reading.place as usize)?;
            if reading.stamp == Some(file.stamp) {
                continue;
            }
            match &mut reading.saw {
                Saw::Size(size) if *size == file.size => {}
                Saw::Size(_) => return None,
                Saw::Bytes(before, mattered) => {
                    let bytes = self.bytes(file, self.bounds.manifest_bytes).ok()?;
                    let now = digest(&bytes);
                    if *before != now {
                        let Mattered::Asked(asked) = mattered else {
                            return None;
                        };
                        let text = &plimsoll_model::text_of(bytes);
                        let mut moves = Moves::default();
                        for asked in asked {
                            match asked {
                                Asked::Question(number, answer) => {
                                    let question = questions.get(*number as usize)?;
                                    let read = file.size <= self.bounds.source_bytes;
                                    (read && question.answer(text) == *answer).then_some(())?;
                                }
                                Asked::Facts(kind) => {
                                    let edit = Edit {
                                        file,
                                        text,
                                        before,
                                        now: &now,
                                    };
                                    self.read_again(*kind, &edit, &mut moves)?;
                                }
                            }
                        }
                        again.moves.add(&self.shown(&file.path), moves)?;
                        *before = now;
                    }
                }
            }
            reading.stamp = file.stamp.sure(self.listed);
            again.renewed = true;
        }
        Some(again)
    }

    fn read_again(&self, kind: FactKind, edit: &Edit<'_>, moves: &mut Moves) -> Option<()> {
        match kind {
            FactKind::GoFile => self.says_the_same::<GoFile>(edit, moves),
            FactKind::LoadedPaths => self.says_the_same::<LoadedPaths>(edit, moves),
            FactKind::PythonEntry => self.says_the_same::<Entry>(edit, moves),
            FactKind::PythonLock => self.says_the_same::<LockText>(edit, moves),
            FactKind::PythonModule => self.says_the_same::<Module>(edit, moves),
            FactKind::RustFile => self.says_the_same::<FileItems>(edit, moves),
            FactKind::ScriptFacts => self.says_the_same::<FileFacts>(edit, moves),
            FactKind::ScriptSources => self.says_the_same::<Sources>(edit, moves),
        }
    }

    fn says_the_same<F: Facts>(&self, edit: &Edit<'_>, moves: &mut Moves) -> Option<()> {
        let Edit { file, text, .. } = edit;
        if file.size > F::most(&self.bounds) {
            return None;
        }
        let texts = &self.memory.as_ref()?.texts;
        let shown = self.shown(&file.path);
        let before: Option<F> = texts.known(&key(F::KIND, &shown, edit.before))?;
        let now: Option<F> = texts.recall(key(F::KIND, &shown, edit.now), || {
            F::read(&file.path, shown.clone(), (*text).to_owned())
        });
        moves.between(&before, &now)
    }
}

/// A file whose text is another one.
struct Edit<'e> {
    file: &'e File,
    text: &'e str,
    /// Digests of its bytes.
    before: &'e Key,
    now: &'e Key,
}
