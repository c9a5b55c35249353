//! Contracts that are kept, and that are not.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Evidence, Palette, Spanned, render};
use proptest::prelude::*;

use super::*;
use crate::{BuildRecipe, Propagation, PythonDependencies, PythonRecipe, Recursion};

fn variable(name: &str, kind: VariableKind) -> Variable {
    Variable {
        name: name.to_owned(),
        required: true,
        secret: false,
        default: None,
        kind,
        need: None,
        services: vec!["desk".to_owned()],
        one_of: Vec::new(),
        evidence: vec![Evidence::new(
            Span::new(Path::new("app.py"), 3, 7, 4),
            "reads it",
        )],
    }
}

fn recipe() -> BuildRecipe {
    BuildRecipe {
        context: PathBuf::from("/p"),
        kind: RecipeKind::Python(PythonRecipe {
            root: PathBuf::new(),
            requires_python: None,
            preferred_python: None,
            dependencies: PythonDependencies::None,
            install_project: None,
            extras: Vec::new(),
            undeclared: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: vec![("PORT".to_owned(), "8000".to_owned())],
        command: Vec::new(),
        working_dir: PathBuf::new(),
        ports: Vec::new(),
        pages: Vec::new(),
    }
}

fn project(variables: Vec<Variable>, given: &[(&str, Option<&str>)]) -> Project {
    let mut service = Service {
        name: "desk".to_owned(),
        recipe: Some(recipe()),
        ..Service::default()
    };
    for (line, (name, value)) in given.iter().enumerate() {
        let span = Span::line(Path::new("compose.yaml"), line as u32 + 5);
        let value = Spanned::new(value.map(str::to_owned), span);
        service.environment.insert((*name).to_owned(), value);
    }
    let mut project = Project {
        variables,
        ..Project::default()
    };
    project.services.insert("desk".to_owned(), service);
    project
}

fn terms() -> Terms {
    let shown = Shown {
        value: "desk".to_owned(),
        span: Span::line(Path::new(".env.example"), 5),
    };
    Terms {
        documented: BTreeMap::from([("POSTGRES_PASSWORD".to_owned(), shown)]),
        exposure: Exposure::ThisMachine,
        extensions: Extensions::default(),
    }
}

fn told(project: &Project, terms: &Terms) -> String {
    breaches(project, &["desk".to_owned()], terms)
        .iter()
        .map(|breach| {
            render(
                &breach.to_diagnostic(),
                Path::new("/nonexistent"),
                Palette::Plain,
            )
        })
        .collect()
}

#[test]
fn every_fault_is_told_with_its_places() {
    let variables = vec![
        variable("API_KEY", VariableKind::Text),
        variable("BASE_URL", VariableKind::Url),
        variable("DEBUG", VariableKind::Boolean),
        variable("PORT", VariableKind::Port),
        variable("TIMEOUT", VariableKind::Number),
    ];
    let given = [
        ("BASE_URL", Some("not an address")),
        ("DEBUG", Some("")),
        ("TIMEOUT", Some("soon")),
        ("POSTGRES_PASSWORD", Some("desk")),
        ("SESSION_SECRET", Some("ChangeMe")),
    ];
    insta::assert_snapshot!(told(&project(variables, &given), &terms()), @r"
    error: `API_KEY` is missing: `desk` does not start without it
      --> app.py:3:7
    hint: write `API_KEY=…` in `.env`, or set it in the environment
    error: `BASE_URL` of `desk` is no URL
      --> compose.yaml:5:1
    hint: it is read at `app.py:3`
    hint: write an address such as `scheme://host:port/path`
    error: `DEBUG` is empty: `desk` does not start without it
      --> compose.yaml:6:1
    hint: it is read at `app.py:3`
    hint: write `true` or `false`
    warning: `POSTGRES_PASSWORD` of `desk` is no secret: `.env.example:5` shows its value
      --> compose.yaml:8:1
    hint: set `POSTGRES_PASSWORD` to 32 random letters and digits, in `.env` or in the environment
    warning: `SESSION_SECRET` of `desk` is no secret: everybody knows its value
      --> compose.yaml:9:1
    hint: set `SESSION_SECRET` to 32 random letters and digits, in `.env` or in the environment
    error: `TIMEOUT` of `desk` is no number
      --> compose.yaml:7:1
    hint: it is read at `app.py:3`
    hint: write a number
    ");
}

#[test]
fn a_default_secret_stops_a_stack_that_others_reach() {
    let project = project(
        Vec::new(),
        &[("POSTGRES_PASSWORD", Some("postgres-desk-password"))],
    );
    assert_eq!(told(&project, &terms()), "");
    let project = self::project(Vec::new(), &[("POSTGRES_PASSWORD", Some("password"))]);
    let found = breaches(&project, &["desk".to_owned()], &terms());
    assert!(!found[0].stops());
    let open = Terms {
        exposure: Exposure::Others,
        ..terms()
    };
    assert!(breaches(&project, &["desk".to_owned()], &open)[0].stops());
}

#[test]
fn what_has_a_default_is_only_needed_lazily_or_is_in_the_image_is_not_missing() {
    let mut lazy = variable("LAZY", VariableKind::Text);
    lazy.required = false;
    let mut with_default = variable("MODEL", VariableKind::Text);
    with_default.default = Some("small".to_owned());
    let in_image = variable("PORT", VariableKind::Port);
    let project = project(vec![lazy, with_default, in_image], &[]);
    assert_eq!(told(&project, &terms()), "");
}

#[test]
fn what_may_come_from_files_of_the_host_only_warns() {
    let mut project = project(vec![variable("API_KEY", VariableKind::Text)], &[]);
    assert!(breaches(&project, &["desk".to_owned()], &terms())[0].stops());
    let service = project.services.get_mut("desk").unwrap();
    service.volumes.push(Spanned::unplaced(crate::Mount {
        kind: MountKind::Bind {
            source: PathBuf::from("/p"),
            create: false,
            propagation: Propagation::Private,
            recursion: Recursion::Enabled,
        },
        target: PathBuf::from("/app"),
        read_only: false,
    }));
    assert!(!breaches(&project, &["desk".to_owned()], &terms())[0].stops());
}

#[test]
fn one_of_several_is_enough() {
    let group = crate::facts::OneOf {
        names: vec!["OPENAI_API_KEY".to_owned(), "GROQ_API_KEY".to_owned()],
        services: vec!["desk".to_owned()],
        span: Span::line(Path::new("app.py"), 9),
    };
    let of_group = |name: &str| Variable {
        required: false,
        one_of: vec![group.clone()],
        ..variable(name, VariableKind::Text)
    };
    let variables = || vec![of_group("GROQ_API_KEY"), of_group("OPENAI_API_KEY")];
    let nothing = project(variables(), &[("GROQ_API_KEY", Some(""))]);
    insta::assert_snapshot!(told(&nothing, &terms()), @r"
    error: none of `OPENAI_API_KEY`, `GROQ_API_KEY` is set: `desk` does not start without one of them
      --> app.py:9:1
    hint: write one of them in `.env`, as in `OPENAI_API_KEY=…`, or set it in the environment
    ");
    let found = breaches(&nothing, &["desk".to_owned()], &terms());
    assert!(found.len() == 1 && found[0].stops());
    let one = project(variables(), &[("GROQ_API_KEY", Some("x"))]);
    assert_eq!(told(&one, &terms()), "");
    // Whoever says that both are optional has another way.
    let mut terms = terms();
    let said = crate::extension::Extension {
        optional: group.names.iter().cloned().map(Spanned::unplaced).collect(),
        ..Default::default()
    };
    terms.extensions.services.insert("desk".to_owned(), said);
    assert_eq!(told(&nothing, &terms), "");
}

#[test]
fn addresses_in_every_spelling() {
    let with_default = |default: Option<&str>| Variable {
        default: default.map(str::to_owned),
        ..variable("URL", VariableKind::Url)
    };
    let plain = with_default(None);
    for text in [
        "postgresql+asyncpg://u:p@db:5432/x",
        "redis://cache:6379/0",
        "sqlite:///./desk.db",
        "sqlite://",
        "http://a:1,http://b:2",
        "cache:6379",
        "/api",
    ] {
        assert!(fits(text, &plain), "{text}");
    }
    for text in ["postgres://", "nothing", "http:// a", "://x", "http:///x"] {
        assert!(!fits(text, &plain), "{text}");
    }
    let stated = with_default(Some("http://localhost:8000"));
    assert!(!fits("backend:8000", &stated));
    assert!(fits("/api", &stated));
}

#[test]
fn names_of_secrets() {
    for (name, secret) in [
        ("POSTGRES_PASSWORD", true),
        ("OPENAI_API_KEY", true),
        ("DB_PASS", true),
        ("PWD", false),
        ("MAX_TOKENS", false),
        ("POSTGRES_PASSWORD_FILE", false),
        ("PRIMARY_KEY", false),
    ] {
        assert_eq!(names_a_secret(name), secret, "{name}");
    }
}

proptest! {
    #[test]
    fn no_value_is_ever_told(value in "[a-z]{12,20} [a-z]{3,5}") {
        let variables = vec![
            variable("API_URL", VariableKind::Url),
            variable("PORT", VariableKind::Port),
        ];
        let given = [("API_URL", Some(value.as_str())), ("PORT", Some(value.as_str()))];
        let text = told(&project(variables, &given), &terms());
        prop_assert!(text.contains("API_URL") && text.contains("PORT"));
        prop_assert!(!text.contains(&value));
    }
}

#[test]
fn what_the_project_calls_optional_is_not_missing() {
    let project = project(vec![variable("API_KEY", VariableKind::Text)], &[]);
    assert!(breaches(&project, &["desk".to_owned()], &terms())[0].stops());
    let mut terms = terms();
    let said = crate::extension::Extension {
        optional: vec![Spanned::unplaced("API_KEY".to_owned())],
        ..Default::default()
    };
    terms.extensions.services.insert("desk".to_owned(), said);
    assert_eq!(told(&project, &terms), "");
}
