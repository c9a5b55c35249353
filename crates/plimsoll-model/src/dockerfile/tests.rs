use std::path::Path;

use plimsoll_diag::Diagnostics;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Dockerfile {
    Dockerfile::parse(text, Path::new("Dockerfile")).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let Diagnostics(problems) = Dockerfile::parse(text, Path::new("Dockerfile")).unwrap_err();
    problems
        .iter()
        .map(|problem| format!("{} {}", problem.span.as_ref().unwrap(), problem.message))
        .collect()
}

fn value(word: &str) -> Result<String, ExpandError> {
    let lookup = |name: &str| match name {
        "one" => Some("1".to_owned()),
        "empty" => Some(String::new()),
        "path" => Some("a/b/c.tar.gz".to_owned()),
        _ => None,
    };
    expand(word, '\\', Quoting::Removed, &lookup)
}

#[test]
fn lines_are_joined_and_comments_between_them_dropped() {
    let file = parse(
        "# syntax=docker/dockerfile:1\n\nFROM a AS Base\nRUN one && \\\n  # why\n\n  two \\  \n three\n",
    );
    assert_eq!(file.syntax.unwrap().value, "docker/dockerfile:1");
    let InstructionKind::Run(run) = &file.instructions[1].kind else {
        panic!()
    };
    assert_eq!(
        run.command,
        CommandLine::Shell("one &&   two  three".to_owned())
    );
    assert_eq!(file.instructions[1].span.to_string(), "Dockerfile:4:1");
    assert_eq!(file.instructions[1].span.end.line, 8);
    let InstructionKind::From(from) = &file.instructions[0].kind else {
        panic!()
    };
    assert_eq!(from.name.as_ref().unwrap().value, "base");
    assert_eq!(
        from.name
            .as_ref()
            .unwrap()
            .span
            .as_ref()
            .unwrap()
            .start
            .column,
        11
    );
}

#[test]
fn the_escape_character_can_be_another() {
    let file = parse("# escape=`\nFROM a\nCOPY a `\n C:\\x\n");
    let InstructionKind::Copy(copy) = &file.instructions[1].kind else {
        panic!()
    };
    assert_eq!(copy.destination.value, "C:\\x");
    // A directive after a comment is a comment.
    assert_eq!(parse("# note\n# escape=`\nFROM a\n").escape, '\\');
}

#[test]
fn a_list_that_is_no_json_is_a_line_for_the_shell() {
    let file = parse("FROM a\nCMD [\"a\", \"b c\"]\nCMD ['a']\nCMD [ -f x ] && y\n");
    let commands: Vec<_> = file.instructions[1..]
        .iter()
        .map(|instruction| match &instruction.kind {
            InstructionKind::Cmd(command) => command.clone(),
            _ => panic!(),
        })
        .collect();
    assert_eq!(
        commands,
        [
            CommandLine::Exec(vec!["a".to_owned(), "b c".to_owned()]),
            CommandLine::Shell("['a']".to_owned()),
            CommandLine::Shell("[ -f x ] && y".to_owned()),
        ]
    );
}

#[test]
fn here_documents_are_taken_in_order() {
    let file = parse(
        "FROM a\nCOPY <<one.txt <<-\"TWO\" /d/\n\tfirst $x\none.txt\n\tsecond\n\tTWO\nRUN <<EOF cat\n# kept\nFROM x\nEOF\nRUN echo '<<EOF' <<<x\n",
    );
    let InstructionKind::Copy(copy) = &file.instructions[1].kind else {
        panic!()
    };
    assert_eq!(copy.heredocs[0].content, "\tfirst $x\n");
    assert!(copy.heredocs[0].expands && !copy.heredocs[1].expands);
    assert_eq!(copy.heredocs[1].content, "second\n");
    let InstructionKind::Run(run) = &file.instructions[2].kind else {
        panic!()
    };
    assert_eq!(run.heredocs[0].content, "# kept\nFROM x\n");
    assert_eq!(file.instructions.len(), 4);
}

#[test]
fn pairs_have_an_old_form() {
    let file =
        parse("FROM a\nENV A=1 B=\"two words\" C=x\\ y\nENV OLD some  \"words\"\nLABEL a.b=c\n");
    let InstructionKind::Env(pairs) = &file.instructions[1].kind else {
        panic!()
    };
    let values: Vec<_> = pairs
        .iter()
        .map(|pair| value(&pair.value.value).unwrap())
        .collect();
    assert_eq!(values, ["1", "two words", "x y"]);
    let InstructionKind::Env(old) = &file.instructions[2].kind else {
        panic!()
    };
    assert_eq!(value(&old[0].value.value).unwrap(), "some  words");
}

#[test]
fn mistakes_are_told_with_their_place() {
    let told = problems(
        "FORM a\nFROM a as 1x\nFROM\nCOPY x\nRUN --mout=type=cache x\nSHELL bash\nENV A=1 b\nHEALTHCHECK x\nONBUILD FROM x\nRUN <<EOF\nnever\n",
    );
    insta::assert_snapshot!(told.join("\n"), @r"
    Dockerfile:1:1 `FORM` is no instruction
    Dockerfile:2:11 `1x` cannot be the name of a stage
    Dockerfile:3:1 `FROM` needs something to work on
    Dockerfile:4:6 `COPY` needs a source and a destination
    Dockerfile:5:5 `--mout` is no flag here
    Dockerfile:6:7 `SHELL` takes a list
    Dockerfile:7:9 `b` is not of the form `NAME=value`
    Dockerfile:8:13 `HEALTHCHECK` says no check
    Dockerfile:9:9 `ONBUILD` takes no `FROM`
    Dockerfile:10:5 the here-document `EOF` has no end
    ");
}

#[test]
fn variables_get_their_values() {
    for (word, wanted) in [
        ("$one${one}x$two", "11x"),
        ("${two:-d}${empty:-e}${empty-f}", "de"),
        ("${one:+set}${empty:+no}${empty+yes}${two+no}", "setyes"),
        ("'$one' \"$one\" \\$one", "$one 1 $one"),
        ("\"a\\nb\\\"\"", "a\\nb\""),
        ("${two:-${one}/x}", "1/x"),
        ("${path#*/}", "b/c.tar.gz"),
        ("${path##*/}", "c.tar.gz"),
        ("${path%.*}", "a/b/c.tar"),
        ("${path%%.*}", "a/b/c"),
        ("${path/\\//-}", "a-b/c.tar.gz"),
        ("${path//\\//-}", "a-b-c.tar.gz"),
        ("${path//[}", "a/b/c.tar.gz"),
        ("a$", "a$"),
        ("$$", ""),
    ] {
        assert_eq!(value(word).as_deref(), Ok(wanted), "{word}");
    }
    assert_eq!(
        value("${two:?needed}").unwrap_err().to_string(),
        "`two` is not set: needed"
    );
    assert_eq!(value("${one"), Err(ExpandError::Brace));
    assert_eq!(value("'x"), Err(ExpandError::Quote('\'')));
    assert_eq!(
        value("${one:=x}"),
        Err(ExpandError::Modifier(":=".to_owned()))
    );
}

#[test]
fn stages_are_found_by_name_and_number() {
    let file = parse("ARG V=1\nFROM a AS one\nRUN x\nFROM one AS two\nFROM scratch\n");
    let (arguments, stages) = stages(&file).unwrap();
    assert_eq!((arguments.len(), stages.len()), (1, 3));
    assert_eq!(
        StageReference::find(&stages, 1, "ONE"),
        StageReference::Stage(0)
    );
    // A stage does not know itself, nor what follows.
    assert_eq!(
        StageReference::find(&stages, 0, "two"),
        StageReference::Other
    );
    assert_eq!(StageReference::find(&stages, 2, "1"), StageReference::Other);
    assert_eq!(
        StageReference::find_or_count(&stages, 2, "1"),
        StageReference::Stage(1)
    );
    let problem = super::stages(&parse("RUN x\nFROM a\n")).unwrap_err();
    assert_eq!(problem.message, "`RUN` stands before the first `FROM`");
}

proptest! {
    #[test]
    fn nothing_panics(text in "(FROM|RUN|COPY|ENV|ARG|HEALTHCHECK|ONBUILD| |\n|\\\\|<<E|E\n|\"|'|\\[|--from=|\\$|\\{|\\}|[a-zé=,/#:`])*") {
        let _ = Dockerfile::parse(&text, Path::new("d"));
        let _ = value(&text);
    }

    #[test]
    fn what_is_printed_parses_to_the_same(text in "FROM a( AS b)?\n((RUN|CMD|ENTRYPOINT) (--mount=type=cache,target=/x )?(\\[\"a\", ?\"b\\\\\\\\\\\\n\"\\]|[a-z$'\" ]{1,12}[a-z])\n|RUN x <<E\n([a-z#\t ]{0,9}\n){0,3}E\n|ENV (a=[a-z$]{0,5}( b=\"x y\")?|old [a-z ]{0,9}x)\n|(COPY|ADD) (--chown=a:b )?(\\[\"a b\", \"c\"\\]|[a-z./*]{1,9} /x)\n|ARG [a-z]{1,4}(=[a-z]{0,3})?\n|EXPOSE 80/tcp 90\n|VOLUME (/a /b|\\[\"/a\"\\])\n|HEALTHCHECK (NONE|--retries=3 CMD [a-z]{1,6})\n|SHELL \\[\"a\"\\]\n|ONBUILD RUN [a-z]{1,5}\n|USER [a-z]{1,5}\n|WORKDIR /[a-z ]{0,5}x\n){0,8}") {
        if let Ok(file) = Dockerfile::parse(&text, Path::new("d")) {
            let printed = file.to_string();
            let again = Dockerfile::parse(&printed, Path::new("d"));
            prop_assert!(again.is_ok(), "{printed}\n{again:?}");
            prop_assert_eq!(again.unwrap(), file, "{}", printed);
        }
    }
}
