//! What a Dockerfile holds.

use std::fmt;

use plimsoll_diag::{Span, Spanned};

/// A whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Dockerfile {
    /// The front end that `# syntax=` asks for. It is not fetched: the format is known here.
    pub syntax: Option<Spanned<String>>,
    /// What continues a line and takes a character's meaning away: `\`, or `` ` ``.
    pub escape: char,
    /// The instructions in order.
    pub instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Debug, Clone)]
pub struct Instruction {
    /// From its keyword to its last character.
    pub span: Span,
    /// What it says.
    pub kind: InstructionKind,
}

/// Equality looks at what is said, not at where.
impl PartialEq for Instruction {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What an instruction says. Words are as written: quotes and variables are still in them.
#[derive(Debug, Clone, PartialEq)]
pub enum InstructionKind {
    /// `FROM`: a stage begins.
    From(From),
    /// `ARG`.
    Arg(Vec<Argument>),
    /// `ENV`.
    Env(Vec<Pair>),
    /// `LABEL`.
    Label(Vec<Pair>),
    /// `RUN`.
    Run(Run),
    /// `COPY` and `ADD`.
    Copy(Copy),
    /// `CMD`.
    Cmd(CommandLine),
    /// `ENTRYPOINT`.
    Entrypoint(CommandLine),
    /// `WORKDIR`.
    Workdir(Spanned<String>),
    /// `USER`.
    User(Spanned<String>),
    /// `EXPOSE`.
    Expose(Vec<Spanned<String>>),
    /// `VOLUME`.
    Volume(Vec<Spanned<String>>),
    /// `STOPSIGNAL`.
    StopSignal(Spanned<String>),
    /// `HEALTHCHECK`.
    Healthcheck(HealthInstruction),
    /// `SHELL`: what shell forms are run by.
    Shell(Vec<String>),
    /// `ONBUILD`: an instruction for whoever builds on the image, as text.
    Onbuild(Spanned<String>),
    /// `MAINTAINER`, long replaced by a label.
    Maintainer(Spanned<String>),
}

/// `FROM`.
#[derive(Debug, Clone, PartialEq)]
pub struct From {
    /// `--platform`.
    pub platform: Option<Spanned<String>>,
    /// An image, an earlier stage, or `scratch`.
    pub base: Spanned<String>,
    /// The stage's name, in lower case as it is looked up.
    pub name: Option<Spanned<String>>,
}

/// One name that `ARG` declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// Its name.
    pub name: Spanned<String>,
    /// Its default.
    pub default: Option<Spanned<String>>,
}

/// `NAME=value` of `ENV` and `LABEL`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The name.
    pub name: Spanned<String>,
    /// The value.
    pub value: Spanned<String>,
}

/// `--name=value`, or `--name` alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// The name without dashes.
    pub name: Spanned<String>,
    /// What follows the `=`.
    pub value: Option<Spanned<String>>,
}

/// A command in either form.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandLine {
    /// `["program", "argument"]`.
    Exec(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// `--mount`, `--network`, `--security`.
    pub flags: Vec<Flag>,
    /// What is run. With here-documents, the line that opens them.
    pub command: CommandLine,
    /// The here-documents that the line opens, in order.
    pub heredocs: Vec<Heredoc>,
}

/// Whether it is `COPY` or `ADD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyKind {
    /// `COPY`: files as they are.
    Copy,
    /// `ADD`: archives are unpacked, addresses fetched.
    Add,
}

/// `COPY` or `ADD`.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    /// Which of the two.
    pub kind: CopyKind,
    /// `--from`, `--chown`, `--chmod`, …
    pub flags: Vec<Flag>,
    /// What is copied. A word that opens a here-document stands for its content.
    pub sources: Vec<Spanned<String>>,
    /// Where it goes.
    pub destination: Spanned<String>,
    /// The here-documents among the sources, in order.
    pub heredocs: Vec<Heredoc>,
}

/// Lines of the file that are the content of something.
#[derive(Debug, Clone, PartialEq)]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// The word that opens it: `<<EOF`, `<<-"EOF"`.
    pub opening: String,
    /// Whether variables in it get their values.
    pub expands: bool,
    /// The lines, each with its end.
    pub content: String,
    /// Whether tabs at the beginning of lines are left out (`<<-`).
    pub strips_tabs: bool,
}

/// `HEALTHCHECK`.
#[derive(Debug, Clone, PartialEq)]
pub enum HealthInstruction {
    /// `NONE`.
    Disabled,
    /// `CMD`.
    Check {
        /// `--interval` and its like.
        flags: Vec<Flag>,
        /// What is run.
        command: CommandLine,
    },
}

impl InstructionKind {
    /// The keyword.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::From(_) => "FROM",
            Self::Arg(_) => "ARG",
            Self::Env(_) => "ENV",
            Self::Label(_) => "LABEL",
            Self::Run(_) => "RUN",
            Self::Copy(copy) => copy.kind.keyword(),
            Self::Cmd(_) => "CMD",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Workdir(_) => "WORKDIR",
            Self::User(_) => "USER",
            Self::Expose(_) => "EXPOSE",
            Self::Volume(_) => "VOLUME",
            Self::StopSignal(_) => "STOPSIGNAL",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Shell(_) => "SHELL",
            Self::Onbuild(_) => "ONBUILD",
            Self::Maintainer(_) => "MAINTAINER",
        }
    }
}

impl CopyKind {
    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Copy => "COPY",
            Self::Add => "ADD",
        }
    }
}

impl fmt::Display for CopyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.keyword())
    }
}

impl CommandLine {
    /// The words, split as a shell splits plain ones.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Exec(words) => words.clone(),
            Self::Shell(line) => line
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'']).to_owned())
                .collect(),
        }
    }
}

impl Copy {
    /// The value of a flag that is given once.
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.name.value == name)
    }
}
