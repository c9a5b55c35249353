//! What a Compose file may say: the vocabulary of the tables in [`super::keys`].
//!
//! One table serves twice: a value is checked against its [`Shape`], and printed in its [`Form`].

/// What a value may be.
pub(super) enum Shape {
    /// Anything.
    Any,
    /// A scalar of one of the kinds.
    Scalar(Kinds),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within bounds, or text.
    Bounded(i64, i64),
    /// Text that some part of must look right; the function tells, the text says how it should.
    Pattern(fn(&str) -> bool, &'static str),
    /// A list.
    List(&'static Shape),
    /// A list without duplicates.
    Unique(&'static Shape),
    /// A mapping with known keys.
    Record(&'static Record),
    /// A mapping whose keys the author chooses.
    Table(Keys, &'static Shape),
    /// The first of these whose kind of value fits.
    Either(&'static [Shape]),
}

/// Which scalars are fine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds {
    /// Text.
    pub(super) text: bool,
    /// Numbers: none, whole ones, all.
    pub(super) number: Numbers,
    /// `true` and `false`.
    pub(super) boolean: bool,
    /// Nothing.
    pub(super) null: bool,
}

/// Which numbers are fine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// None.
    No,
    /// Whole ones.
    Whole,
    /// All.
    All,
}

/// Which keys an author may choose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// Any text but none.
    Any,
    /// Letters, digits, `.`, `_`, `-`; others are an error.
    Names,
    /// The same, but others are passed over.
    LooseNames,
    /// Small letters.
    SmallLetters,
}

/// A mapping with known keys.
pub(super) struct Record {
    /// What it is, for messages: "service".
    pub(super) name: &'static str,
    /// Keys in the order they are printed.
    pub(super) fields: &'static [Field],
    /// Keys that must be there.
    pub(super) required: &'static [&'static str],
    /// What else may stand there.
    pub(super) extra: Extra,
    /// How it is printed.
    pub(super) print: Print,
}

/// Keys of a record beyond the known ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    /// None.
    No,
    /// `x-` keys.
    Extensions,
    /// `x-` keys; the record may also be nothing.
    ExtensionsOrNull,
    /// Anything.
    Anything,
}

/// How records are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Print {
    /// Without what is empty.
    Usual,
    /// Every key, also when empty.
    Always,
    /// Every key, also when empty; in JSON the keys begin with a capital.
    AlwaysCapital,
}

/// A key of a record.
pub(super) struct Field {
    /// The key.
    pub(super) key: &'static str,
    /// What may stand under it.
    pub(super) shape: &'static Shape,
    /// How it is printed.
    pub(super) form: Form,
    /// What it is for; said of Plimsoll's own keys.
    pub(super) about: &'static str,
}

/// How a value is printed. "Kept" means: also when it is zero, false or empty.
pub(super) enum Form {
    /// Text.
    Text,
    /// A whole number.
    Whole,
    /// A whole number, kept.
    WholeKept,
    /// A boolean.
    Flag,
    /// A boolean, kept.
    FlagKept,
    /// A number of single precision.
    Decimal,
    /// A size, printed as bytes in quotes.
    Bytes,
    /// A duration.
    Duration,
    /// A duration, kept.
    DurationKept,
    /// A command line as its words, kept.
    Words,
    /// A health check's test.
    Test,
    /// A list of texts.
    Texts,
    /// Names and texts.
    Pairs,
    /// Names and texts, some without a value.
    OptionalPairs,
    /// Names and lists of texts.
    ManyPairs,
    /// Host names and addresses.
    Hosts,
    /// A record, kept.
    Record(&'static Record),
    /// A record that JSON prints also when it is empty.
    Struct(&'static Record),
    /// A list of records.
    Records(&'static Record),
    /// Names and records, or nothing.
    Named(&'static Record),
    /// Names and limits.
    Ulimits,
    /// Permission bits, printed as an octal number in quotes.
    Mode,
    /// A number of devices; all of them are -1.
    Count,
    /// SSH keys of a build.
    Ssh,
}

/// A field of a table.
pub(super) const fn field(key: &'static str, shape: &'static Shape, form: Form) -> Field {
    Field {
        key,
        shape,
        form,
        about: "",
    }
}

/// A field of Plimsoll's own, which is never printed in another form.
pub(super) const fn own(key: &'static str, shape: &'static Shape, about: &'static str) -> Field {
    Field {
        key,
        shape,
        form: Form::Text,
        about,
    }
}

const fn kinds(text: bool, number: Numbers, boolean: bool, null: bool) -> Shape {
    Shape::Scalar(Kinds {
        text,
        number,
        boolean,
        null,
    })
}

/// Text.
pub(super) static TEXT: Shape = kinds(true, Numbers::No, false, false);
/// Text or nothing.
pub(super) static TEXT_OR_NULL: Shape = kinds(true, Numbers::No, false, true);
/// A boolean.
pub(super) static BOOLEAN: Shape = kinds(false, Numbers::No, true, false);
/// A boolean or text.
pub(super) static FLAG: Shape = kinds(true, Numbers::No, true, false);
/// A whole number.
pub(super) static WHOLE_ONLY: Shape = kinds(false, Numbers::Whole, false, false);
/// A number.
pub(super) static NUMBER_ONLY: Shape = kinds(false, Numbers::All, false, false);
/// A whole number or text.
pub(super) static WHOLE: Shape = kinds(true, Numbers::Whole, false, false);
/// A number or text.
pub(super) static NUMBER: Shape = kinds(true, Numbers::All, false, false);
/// A number, text or nothing.
pub(super) static NUMBER_OR_NULL: Shape = kinds(true, Numbers::All, false, true);
/// Text, a number or a boolean.
pub(super) static SCALAR: Shape = kinds(true, Numbers::All, true, false);
/// Text, a number, a boolean or nothing.
pub(super) static SCALAR_OR_NULL: Shape = kinds(true, Numbers::All, true, true);
/// A list of texts.
pub(super) static TEXTS: Shape = Shape::List(&TEXT);
/// A list of different texts.
pub(super) static UNIQUE_TEXTS: Shape = Shape::Unique(&TEXT);
/// One text or a list of different ones.
pub(super) static TEXT_OR_TEXTS: Shape =
    Shape::Either(&[kinds(true, Numbers::No, false, false), Shape::Unique(&TEXT)]);
/// A mapping, or a list of `NAME=value`.
pub(super) static PAIRS: Shape = Shape::Either(&[
    Shape::Table(Keys::Any, &SCALAR_OR_NULL),
    Shape::Unique(&TEXT),
]);
/// A command: one line, or a list of words.
pub(super) static COMMAND: Shape =
    Shape::Either(&[kinds(true, Numbers::No, false, true), Shape::List(&TEXT)]);
/// Options of a driver.
pub(super) static OPTIONS: Shape = Shape::Table(Keys::Any, &NUMBER);
