//! What would help a service that failed, by what it said and by what its project holds.
//!
//! Proposes, and changes nothing. What a log says is only held against names that are known already.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_model::facts::NeedKind;
use plimsoll_model::{Project, PythonDependencies, RecipeKind, Service};

use crate::source_directories::source_directories;

/// Where the source of an image that is assembled lies.
const IMAGE_ROOT: &str = "/app";

/// What to do about an error that a service ended with, where that is plain; `lines` is its log.
pub(crate) fn remedy(
    error: &str,
    lines: &[String],
    service: &Service,
    project: &Project,
) -> Option<String> {
    missing_module(error, service, project)
        .or_else(|| missing_package(error))
        .or_else(|| withdrawn(error, service))
        .or_else(|| missing_variable(error, service, project))
        .or_else(|| missing_tables(error, service, project))
        .or_else(|| local_peer(lines, service, project))
}

/// A version that a lock file pins and that its index has no more.
fn withdrawn(error: &str, service: &Service) -> Option<String> {
    let RecipeKind::Python(python) = &service.recipe.as_ref()?.kind else {
        return None;
    };
    let pinned = after(error, "there is no version of ")?;
    let pinned = pinned.split([' ', ',']).next()?;
    let (name, _) = pinned.split_once("==")?;
    let again = match &python.dependencies {
        PythonDependencies::UvLock { lock, .. } => {
            format!(
                "`uv lock --upgrade-package {name}` writes one into `{}`",
                lock.display()
            )
        }
        PythonDependencies::Lock { lock, .. } => format!("lock `{}` anew", lock.display()),
        _ => "require one".to_owned(),
    };
    Some(format!(
        "the index has `{pinned}` no more, and may have another version: {again}"
    ))
}

fn after<'t>(text: &'t str, what: &str) -> Option<&'t str> {
    text.split_once(what).map(|(_, rest)| rest)
}

/// A module of Python: one that lies elsewhere in the project, or one that nothing declares.
fn missing_module(error: &str, service: &Service, project: &Project) -> Option<String> {
    let module = after(error, "ModuleNotFoundError: No module named ")?;
    let module = module.trim_start_matches(['\'', '"']);
    let end = module.find(|c: char| !c.is_alphanumeric() && c != '_');
    let top = &module[..end.unwrap_or(module.len())];
    if top.is_empty() {
        return None;
    }
    let homes = homes_of(&project.directory, top);
    let mut homes = homes.iter();
    let (Some(home), None) = (homes.next(), homes.next()) else {
        return Some(format!("declare the distribution that has `{top}`"));
    };
    let shown = match home.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => home.display().to_string(),
    };
    let recipe = service.recipe.as_ref();
    let assembled = recipe.filter(|recipe| !matches!(recipe.kind, RecipeKind::Dockerfile(_)));
    let inside = assembled.and_then(|recipe| {
        let whole = project.directory.join(home);
        Some(whole.strip_prefix(&recipe.context).ok()?.to_owned())
    });
    Some(match inside {
        Some(inside) => {
            let path = Path::new(IMAGE_ROOT).join(inside);
            let path = path.display().to_string();
            format!(
                "`{top}` lies in `{shown}`: set `PYTHONPATH: {}` for `{}`",
                path.trim_end_matches('/'),
                service.name
            )
        }
        None => format!(
            "`{top}` lies in `{shown}`, which is not in the image: mount it \
             (`volumes: [\"./{shown}:/opt/{top}:ro\"]`) and set `PYTHONPATH: /opt/{top}`"
        ),
    })
}

/// The directories of the project that a top-level module can be imported from.
fn homes_of(directory: &Path, module: &str) -> BTreeSet<PathBuf> {
    let holds = |below: &PathBuf| {
        let inside = directory.join(below);
        let package = inside.join(module);
        let is_own = fs_err::symlink_metadata(&package).is_ok_and(|found| found.is_dir());
        is_own && holds_python(&package) || inside.join(format!("{module}.py")).is_file()
    };
    let directories = source_directories(directory).into_iter();
    directories.filter(holds).collect()
}

fn holds_python(directory: &Path) -> bool {
    let entries = fs_err::read_dir(directory).into_iter().flatten();
    entries
        .filter_map(Result::ok)
        .any(|entry| entry.path().extension().is_some_and(|end| end == "py"))
}

/// A package of Node that nothing declares.
fn missing_package(error: &str) -> Option<String> {
    let module = after(error, "Error: Cannot find module ")
        .or_else(|| after(error, "Cannot find package "))?;
    let module = module.trim_start_matches(['\'', '"']);
    let module = &module[..module.find(['\'', '"']).unwrap_or(module.len())];
    (!module.is_empty() && !module.starts_with(['.', '/']))
        .then(|| format!("add `{module}` to the dependencies"))
}

/// A variable that the service reads, that it is not given, and that the error names.
fn missing_variable(error: &str, service: &Service, project: &Project) -> Option<String> {
    let is_given = |name: &str| {
        let own = service.environment.get(name);
        own.is_some_and(|value| value.value.as_ref().is_some_and(|text| !text.is_empty()))
    };
    let words: Vec<&str> = error
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    // A settings class says the name of its field.
    let of_settings = error.contains("validation error");
    let read = project
        .variables
        .iter()
        .filter(|variable| variable.services.contains(&service.name))
        .map(|variable| variable.name.as_str())
        .find(|name| {
            let said = |word: &&str| word == name || of_settings && word.eq_ignore_ascii_case(name);
            !is_given(name) && words.iter().any(said)
        });
    // `os.environ["NAME"]` of a name that was not seen in the source.
    let name = read.or_else(|| {
        let key = after(error, "KeyError: ")?.trim_matches(['\'', '"']);
        let is_variable = key.len() > 2
            && key.contains('_')
            && key
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        (is_variable && !is_given(key)).then_some(key)
    })?;
    Some(format!(
        "write `{name}=…` in `.env`, or set it in the environment"
    ))
}

/// Tables that nothing made, though the project keeps what makes them.
fn missing_tables(error: &str, service: &Service, project: &Project) -> Option<String> {
    let said = [
        "no such table",
        "UndefinedTable",
        "Base table or view not found",
    ];
    let of_postgres = error.contains("relation \"") && error.contains("does not exist");
    if !of_postgres && !said.iter().any(|said| error.contains(said)) {
        return None;
    }
    let name = &service.name;
    let context = service.recipe.as_ref().map(|recipe| recipe.context.clone());
    let places = context.iter().chain([&project.directory]);
    let command = places
        .flat_map(|place| {
            [
                ("manage.py", "python manage.py migrate --noinput"),
                ("alembic.ini", "python -m alembic upgrade head"),
            ]
            .map(|(file, command)| (place.join(file), command))
        })
        .find_map(|(file, command)| file.is_file().then_some(command));
    Some(match command {
        Some(command) => format!("make its tables first: `plimsoll run {name} {command}`"),
        None => "its tables are not there: have a job make them before it starts".to_owned(),
    })
}

/// Another service that it calls at a fixed address of its own container.
fn local_peer(lines: &[String], service: &Service, project: &Project) -> Option<String> {
    let refused = |line: &&String| {
        let line = line.to_ascii_lowercase();
        line.contains("refused") || line.contains("max retries exceeded")
    };
    let ports = lines.iter().rev().filter(refused).flat_map(|line| {
        ["localhost", "127.0.0.1", "host='localhost', port="]
            .into_iter()
            .filter_map(|local| {
                let rest = after(line, local)?.trim_start_matches([':', ' ', '\'', ',', ')']);
                let rest = rest.strip_prefix("port=").unwrap_or(rest);
                let end = rest.find(|c: char| !c.is_ascii_digit());
                rest[..end.unwrap_or(rest.len())].parse::<u16>().ok()
            })
            .collect::<Vec<_>>()
    });
    ports.into_iter().find_map(|port| {
        let mut others = project.services.values();
        let other = others.find(|other| {
            other.name != service.name
                && (other.facts.ports.contains(&port)
                    || other.ports.iter().any(|open| open.target == port)
                    || other.facts.provides.map(NeedKind::port) == Some(port))
        })?;
        Some(format!(
            "on port {port} of its own container nothing listens; `{0}` does: lead it to \
             `{0}:{port}`, or share its network (`network_mode: service:{0}`)",
            other.name
        ))
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::Spanned;
    use plimsoll_model::facts::{Variable, VariableKind};
    use plimsoll_model::{BuildRecipe, PythonRecipe};

    use super::*;

    fn project(directory: &Path) -> Project {
        let recipe = |context: PathBuf| BuildRecipe {
            context,
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
            environment: Vec::new(),
            command: Vec::new(),
            working_dir: PathBuf::new(),
            ports: Vec::new(),
            pages: Vec::new(),
        };
        let mut project = Project {
            directory: directory.to_owned(),
            ..Project::default()
        };
        for (name, context, port) in [("api", "", 8000), ("board", "board", 8501)] {
            let mut service = Service {
                name: name.to_owned(),
                recipe: Some(recipe(directory.join(context))),
                ..Service::default()
            };
            service.facts.ports.push(port);
            project.services.insert(name.to_owned(), service);
        }
        let mut store = Service {
            name: "store".to_owned(),
            ..Service::default()
        };
        store.facts.provides = Some(NeedKind::Redis);
        project.services.insert("store".to_owned(), store);
        project.variables.push(Variable {
            name: "DESK_TOKEN".to_owned(),
            required: true,
            secret: true,
            default: None,
            kind: VariableKind::Text,
            need: None,
            services: vec!["api".to_owned()],
            one_of: Vec::new(),
            evidence: Vec::new(),
        });
        project
    }

    fn told(project: &Project, service: &str, lines: &[&str]) -> String {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let error = lines.last().cloned().unwrap_or_default();
        remedy(&error, &lines, &project.services[service], project).unwrap_or_default()
    }

    #[test]
    fn a_module_that_lies_elsewhere_in_the_project_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let project = project(directory.path());
        let says = "ModuleNotFoundError: No module named 'kit.client'";
        assert_eq!(
            told(&project, "api", &[says]),
            "declare the distribution that has `kit`"
        );
        fs_err::create_dir_all(directory.path().join("sdk/kit")).unwrap();
        fs_err::create_dir_all(directory.path().join("node_modules/kit")).unwrap();
        fs_err::write(directory.path().join("sdk/kit/client.py"), "").unwrap();
        insta::assert_snapshot!(told(&project, "api", &[says]), @"`kit` lies in `sdk`: set `PYTHONPATH: /app/sdk` for `api`");
        insta::assert_snapshot!(told(&project, "board", &[says]), @r#"`kit` lies in `sdk`, which is not in the image: mount it (`volumes: ["./sdk:/opt/kit:ro"]`) and set `PYTHONPATH: /opt/kit`"#);
        // Two that it could be.
        fs_err::write(directory.path().join("kit.py"), "").unwrap();
        assert!(told(&project, "api", &[says]).starts_with("declare"));
    }

    #[test]
    fn variables_that_an_error_names_are_told() {
        let mut project = project(Path::new("/nowhere"));
        let write = "write `DESK_TOKEN=…` in `.env`, or set it in the environment";
        for says in [
            "ValueError: DESK_TOKEN must be set",
            "pydantic_core.ValidationError: 1 validation error for Settings: desk_token: Field required",
        ] {
            assert_eq!(told(&project, "api", &[says]), write, "{says}");
            assert_eq!(told(&project, "board", &[says]), "");
        }
        insta::assert_snapshot!(told(&project, "board", &["KeyError: 'BOARD_URL'"]), @"write `BOARD_URL=…` in `.env`, or set it in the environment");
        assert_eq!(told(&project, "board", &["KeyError: 'requests'"]), "");
        let api = project.services.get_mut("api").unwrap();
        let given = Spanned::unplaced(Some("x".to_owned()));
        api.environment.insert("DESK_TOKEN".to_owned(), given);
        assert_eq!(
            told(&project, "api", &["ValueError: DESK_TOKEN is bad"]),
            ""
        );
    }

    #[test]
    fn a_version_that_was_withdrawn_is_told_with_what_locks_another() {
        let mut project = project(Path::new("/nowhere"));
        let says = "it cannot be built: the Python dependencies do not resolve: Because there is no version of \
                    kit==2.1 and you require kit==2.1, we can conclude that your requirements are unsatisfiable.";
        insta::assert_snapshot!(told(&project, "api", &[says]), @"the index has `kit==2.1` no more, and may have another version: require one");
        let api = project.services.get_mut("api").unwrap();
        let recipe = api.recipe.as_mut().unwrap();
        if let RecipeKind::Python(python) = &mut recipe.kind {
            python.dependencies = PythonDependencies::UvLock {
                lock: "uv.lock".into(),
                package: None,
            };
        }
        insta::assert_snapshot!(told(&project, "api", &[says]), @"the index has `kit==2.1` no more, and may have another version: `uv lock --upgrade-package kit` writes one into `uv.lock`");
    }

    #[test]
    fn peers_at_fixed_addresses_are_named() {
        let project = project(Path::new("/nowhere"));
        insta::assert_snapshot!(told(&project, "board", &[
            "urllib3: HTTPConnectionPool(host='localhost', port=8000): Max retries exceeded",
            "requests.exceptions.ConnectionError",
        ]), @"on port 8000 of its own container nothing listens; `api` does: lead it to `api:8000`, or share its network (`network_mode: service:api`)");
        insta::assert_snapshot!(told(&project, "api", &[
            "Error 111 connecting to localhost:6379. Connection refused.",
        ]), @"on port 6379 of its own container nothing listens; `store` does: lead it to `store:6379`, or share its network (`network_mode: service:store`)");
        assert_eq!(
            told(
                &project,
                "api",
                &["dial tcp 127.0.0.1:9999: connection refused"]
            ),
            ""
        );
    }

    #[test]
    fn tables_that_are_not_there_are_made_by_what_the_project_has() {
        let directory = tempfile::tempdir().unwrap();
        let project = project(directory.path());
        let says = "sqlite3.OperationalError: no such table: notes";
        assert!(told(&project, "api", &[says]).starts_with("its tables are not there"));
        fs_err::write(directory.path().join("alembic.ini"), "").unwrap();
        insta::assert_snapshot!(told(&project, "api", &[says]), @"make its tables first: `plimsoll run api python -m alembic upgrade head`");
    }

    proptest::proptest! {
        #[test]
        fn no_error_is_too_strange(text in "(?s).{0,200}") {
            let project = project(Path::new("/nowhere"));
            let _ = told(&project, "api", &[&text]);
            let _ = told(&project, "api", &[&format!("KeyError: {text}")]);
            let _ = told(&project, "api", &[&format!("localhost:{text} refused")]);
            let _ = told(&project, "api", &[&format!("ModuleNotFoundError: No module named {text}")]);
        }
    }
}
