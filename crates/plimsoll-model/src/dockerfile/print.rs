//! Writing a Dockerfile out again, one instruction a line.
//!
//! What is printed parses to the same instructions. Comments, and how lines were broken, are lost.

use std::fmt::{self, Write};

use super::instruction::{
    CommandLine, Copy, Dockerfile, Flag, HealthInstruction, Heredoc, Instruction, InstructionKind,
    Pair,
};

impl fmt::Display for Dockerfile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(syntax) = &self.syntax {
            writeln!(formatter, "# syntax={}", syntax.value)?;
        }
        if self.escape != '\\' {
            writeln!(formatter, "# escape={}", self.escape)?;
        }
        for instruction in &self.instructions {
            writeln!(formatter, "{instruction}")?;
        }
        Ok(())
    }
}

/// Without the end of the last line.
impl fmt::Display for Instruction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyword = self.kind.keyword();
        formatter.write_str(keyword)?;
        match &self.kind {
            InstructionKind::From(from) => {
                if let Some(platform) = &from.platform {
                    write!(formatter, " --platform={}", platform.value)?;
                }
                write!(formatter, " {}", from.base.value)?;
                match &from.name {
                    Some(name) => write!(formatter, " AS {}", name.value),
                    None => Ok(()),
                }
            }
            InstructionKind::Arg(arguments) => arguments.iter().try_for_each(|argument| {
                write!(formatter, " {}", argument.name.value)?;
                match &argument.default {
                    Some(default) => write!(formatter, "={}", default.value),
                    None => Ok(()),
                }
            }),
            InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => {
                write_pairs(formatter, pairs)
            }
            InstructionKind::Run(run) => {
                write_flags(formatter, &run.flags)?;
                write_command(formatter, &run.command)?;
                write_heredocs(formatter, &run.heredocs)
            }
            InstructionKind::Copy(copy) => write_copy(formatter, copy),
            InstructionKind::Cmd(command) | InstructionKind::Entrypoint(command) => {
                write_command(formatter, command)
            }
            InstructionKind::Workdir(text)
            | InstructionKind::User(text)
            | InstructionKind::StopSignal(text)
            | InstructionKind::Onbuild(text)
            | InstructionKind::Maintainer(text) => write!(formatter, " {}", text.value),
            InstructionKind::Expose(words) => words
                .iter()
                .try_for_each(|word| write!(formatter, " {}", word.value)),
            InstructionKind::Volume(words) => {
                write_list(formatter, words.iter().map(|word| word.value.as_str()))
            }
            InstructionKind::Healthcheck(HealthInstruction::Disabled) => {
                formatter.write_str(" NONE")
            }
            InstructionKind::Healthcheck(HealthInstruction::Check { flags, command }) => {
                write_flags(formatter, flags)?;
                formatter.write_str(" CMD")?;
                write_command(formatter, command)
            }
            InstructionKind::Shell(words) => {
                write_list(formatter, words.iter().map(String::as_str))
            }
        }
    }
}

fn write_pairs(formatter: &mut fmt::Formatter<'_>, pairs: &[Pair]) -> fmt::Result {
    pairs
        .iter()
        .try_for_each(|pair| write!(formatter, " {}={}", pair.name.value, pair.value.value))
}

fn write_flags(formatter: &mut fmt::Formatter<'_>, flags: &[Flag]) -> fmt::Result {
    flags.iter().try_for_each(|flag| {
        write!(formatter, " --{}", flag.name.value)?;
        match &flag.value {
            Some(value) => write!(formatter, "={}", value.value),
            None => Ok(()),
        }
    })
}

fn write_command(formatter: &mut fmt::Formatter<'_>, command: &CommandLine) -> fmt::Result {
    match command {
        CommandLine::Exec(words) => write_list(formatter, words.iter().map(String::as_str)),
        CommandLine::Shell(line) => write!(formatter, " {line}"),
    }
}

fn write_copy(formatter: &mut fmt::Formatter<'_>, copy: &Copy) -> fmt::Result {
    write_flags(formatter, &copy.flags)?;
    let words = copy.sources.iter().chain([&copy.destination]);
    let plain = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
    if words.clone().all(|word| plain(&word.value)) {
        words
            .map(|word| &word.value)
            .try_for_each(|word| write!(formatter, " {word}"))?;
    } else {
        write_list(formatter, words.map(|word| word.value.as_str()))?;
    }
    write_heredocs(formatter, &copy.heredocs)
}

fn write_heredocs(formatter: &mut fmt::Formatter<'_>, heredocs: &[Heredoc]) -> fmt::Result {
    heredocs
        .iter()
        .try_for_each(|heredoc| write!(formatter, "\n{}{}", heredoc.content, heredoc.name))
}

/// The exec form: JSON.
fn write_list<'w>(
    formatter: &mut fmt::Formatter<'_>,
    words: impl Iterator<Item = &'w str>,
) -> fmt::Result {
    formatter.write_str(" [")?;
    for (index, word) in words.enumerate() {
        if index > 0 {
            formatter.write_str(", ")?;
        }
        formatter.write_char('"')?;
        for character in word.chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                control if control.is_control() => {
                    let mut units = [0; 2];
                    for unit in control.encode_utf16(&mut units) {
                        write!(formatter, "\\u{unit:04x}")?;
                    }
                }
                other => formatter.write_char(other)?,
            }
        }
        formatter.write_char('"')?;
    }
    formatter.write_char(']')
}
