//! The stages of a Dockerfile, and which of them a target needs.

use plimsoll_diag::{Diagnostic, Spanned};

use super::instruction::{Argument, Dockerfile, From, Instruction, InstructionKind};

/// One stage: from its `FROM` to the next.
#[derive(Debug, Clone)]
pub struct Stage<'d> {
    /// Its `FROM`.
    pub from: &'d From,
    /// The instruction that `from` is of.
    pub opening: &'d Instruction,
    /// What follows.
    pub instructions: &'d [Instruction],
}

/// A name that may be a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageReference {
    /// The stage with this index.
    Stage(usize),
    /// No stage: an image, or a context with a name.
    Other,
}

/// The arguments before the first `FROM`, and the stages.
///
/// # Errors
/// When something else stands before the first `FROM`, or there is none.
pub fn stages(file: &Dockerfile) -> Result<(Vec<&Argument>, Vec<Stage<'_>>), Diagnostic> {
    let mut arguments = Vec::new();
    let mut stages: Vec<Stage<'_>> = Vec::new();
    let mut bounds = Vec::new();
    for (index, instruction) in file.instructions.iter().enumerate() {
        match &instruction.kind {
            InstructionKind::From(from) => {
                bounds.push(index);
                stages.push(Stage {
                    from,
                    opening: instruction,
                    instructions: &[],
                });
            }
            InstructionKind::Arg(declared) if stages.is_empty() => arguments.extend(declared),
            _ if stages.is_empty() => {
                return Err(Diagnostic::error(format!(
                    "`{}` stands before the first `FROM`",
                    instruction.kind.keyword()
                ))
                .at(instruction.span.clone())
                .hint("only `ARG` may"));
            }
            _ => {}
        }
    }
    if stages.is_empty() {
        return Err(Diagnostic::error("the Dockerfile has no `FROM`")
            .hint("begin with the image to build on: `FROM scratch` where there is none"));
    }
    bounds.push(file.instructions.len());
    for (stage, pair) in stages.iter_mut().zip(bounds.windows(2)) {
        stage.instructions = &file.instructions[pair[0] + 1..pair[1]];
    }
    Ok((arguments, stages))
}

impl Stage<'_> {
    /// The stage's name.
    pub fn name(&self) -> Option<&Spanned<String>> {
        self.from.name.as_ref()
    }
}

impl StageReference {
    /// What `name` means to the stage at `index`: one before it, by name or by number.
    pub fn find(stages: &[Stage<'_>], index: usize, name: &str) -> Self {
        let earlier = &stages[..index.min(stages.len())];
        let named = earlier.iter().rposition(|stage| {
            stage
                .name()
                .is_some_and(|known| known.value.eq_ignore_ascii_case(name))
        });
        named.map_or(Self::Other, Self::Stage)
    }

    /// The same for `COPY --from`, which may count stages, too.
    pub fn find_or_count(stages: &[Stage<'_>], index: usize, name: &str) -> Self {
        match Self::find(stages, index, name) {
            Self::Other => match name.parse::<usize>() {
                Ok(number) if number < index => Self::Stage(number),
                _ => Self::Other,
            },
            found => found,
        }
    }
}
