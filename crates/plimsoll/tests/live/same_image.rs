//! What `docker build` makes of a rendered Dockerfile is what `plimsoll build` makes without one:
//! the same files, modes, environment and command. What differs is named here, with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::archive::{Entry, Image};
use crate::stage::Stage;

/// Why something differs between the two images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// The official images have more directories in their path, say their version, and know where
    /// authorities are without being told.
    Base,
    /// Assembled images carry a probe; others ask with what they have, less often at the start: the
    /// interval of the start is nothing that every builder knows.
    Probe,
    /// A package manager's own notes of what it installed, and uv's scripts for shells.
    Manager,
    /// Where the interpreter is: the base's own place.
    Interpreter,
    /// An image says of itself what Plimsoll says beside it, in the index.
    Labels,
    /// The distribution's own unprivileged user has a home, too.
    Home,
}

/// A service, the directories that are its own, and what differs there.
struct Case {
    service: &'static str,
    own: &'static [&'static str],
    differs: fn(&str) -> Option<Reason>,
}

const CASES: [Case; 4] = [
    Case {
        service: "api",
        own: &["app", "home/app"],
        differs: python,
    },
    Case {
        service: "web",
        own: &["app", "home/app"],
        differs: |path| (path == "app/node_modules/.package-lock.json").then_some(Reason::Manager),
    },
    Case {
        service: "page",
        own: &["srv/site"],
        differs: |_| None,
    },
    Case {
        service: "relay",
        own: &["app", "home", "usr/local/bin"],
        differs: |path| match path {
            "usr/local/bin/healthcheck" => Some(Reason::Probe),
            "home/nonroot" => Some(Reason::Home),
            _ => None,
        },
    },
];

fn python(path: &str) -> Option<Reason> {
    let environment = path.strip_prefix("app/.venv/")?;
    let name = environment.rsplit('/').next()?;
    let is_note =
        environment.contains(".dist-info/") && matches!(name, "RECORD" | "INSTALLER" | "REQUESTED");
    let is_script = environment.starts_with("bin/activate")
        || matches!(environment, "bin/deactivate.bat" | "bin/pydoc.bat");
    let is_own = matches!(
        environment,
        ".gitignore" | ".lock" | "CACHEDIR.TAG" | "lib64"
    );
    if is_note || is_script || is_own {
        return Some(Reason::Manager);
    }
    matches!(environment, "bin/python" | "pyvenv.cfg").then_some(Reason::Interpreter)
}

/// A key of an image's configuration that may differ.
fn configuration(key: &str) -> Option<Reason> {
    match key {
        "Labels" => Some(Reason::Labels),
        "Healthcheck" => Some(Reason::Probe),
        _ => None,
    }
}

/// A variable that may be in one of the two alone, or differ.
fn variable(name: &str) -> Option<Reason> {
    let is_base = matches!(
        name,
        "PATH" | "SSL_CERT_FILE" | "PYTHON_VERSION" | "NODE_VERSION"
    );
    is_base.then_some(Reason::Base)
}

#[test]
fn rendered_dockerfiles_build_the_assembled_images() {
    let Some(stage) = Stage::empty("same") else {
        return;
    };
    project(&stage);
    let native = stage.project().join("native.tar");
    let rendered = stage.project().join("rendered.tar");
    let output = |path: &Path| format!("docker:{}", path.display());
    let built = stage.run(&["build", "--native", "--local-bases", "-o", &output(&native)]);
    if built.stderr.contains("cannot be reached") && built.code != 0 {
        eprintln!("skipped: {}", built.stderr);
        return;
    }
    assert_eq!(built.code, 0, "{}", built.stderr);
    stage.succeed(&["render", "dockerfile"]);
    let services: String = CASES
        .iter()
        .map(|case| {
            format!(
                "  {0}:\n    build: {{context: ., dockerfile: docker/{0}.Dockerfile, target: production}}\n",
                case.service
            )
        })
        .collect();
    stage.write("rendered.yaml", &format!("services:\n{services}"));
    stage.succeed(&[
        "-f",
        "rendered.yaml",
        "build",
        "--dockerfile",
        "--local-bases",
        "-o",
        &output(&rendered),
    ]);
    let native = Image::all(&native);
    let rendered = Image::all(&rendered);
    for case in &CASES {
        let named = |images: &BTreeMap<String, Image>| -> Image {
            let name = format!("same-{}:latest", case.service);
            images[&name].clone()
        };
        compare(case, &named(&native), &named(&rendered));
    }
}

fn compare(case: &Case, native: &Image, rendered: &Image) {
    let service = case.service;
    let mut counted: BTreeMap<Reason, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut explain = |what: String, reason: Option<Reason>| match reason {
        Some(reason) => *counted.entry(reason).or_default() += 1,
        None => unexplained.push(what),
    };
    let own = |image: &Image| -> BTreeMap<String, Entry> {
        let is_own = |path: &str| {
            case.own
                .iter()
                .any(|own| path == *own || path.starts_with(&format!("{own}/")))
        };
        let entries = image.entries.iter().filter(|(path, _)| is_own(path));
        entries
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect()
    };
    let (of_native, of_rendered) = (own(native), own(rendered));
    assert!(!of_native.is_empty(), "{service}: nothing of its own");
    let paths: BTreeSet<&String> = of_native.keys().chain(of_rendered.keys()).collect();
    let mut same = 0;
    for path in paths {
        let (one, other) = (of_native.get(path), of_rendered.get(path));
        match one == other {
            true => same += 1,
            false => explain(format!("{path}: {one:?} | {other:?}"), (case.differs)(path)),
        }
    }
    // The web server is another build of the same, started by its own words.
    if service != "page" {
        let words = [native.words(), rendered.words()].map(|words| {
            let (first, rest) = words.split_first().unwrap();
            let program = first.rsplit('/').next().unwrap().to_owned();
            (program, rest.to_vec())
        });
        assert_eq!(words[0], words[1], "{service}");
        for name in native.variables.keys().chain(rendered.variables.keys()) {
            let (one, other) = (native.variables.get(name), rendered.variables.get(name));
            if one != other {
                explain(format!("{name}={one:?} | {other:?}"), variable(name));
            }
        }
        for key in ["ExposedPorts", "Volumes", "Labels", "Healthcheck"] {
            let (one, other) = (native.config.get(key), rendered.config.get(key));
            if one != other {
                explain(format!("{key}: {one:?} | {other:?}"), configuration(key));
            }
        }
    }
    for key in ["User", "WorkingDir", "StopSignal"] {
        let (one, other) = (native.config.get(key), rendered.config.get(key));
        if one != other {
            explain(format!("{key}: {one:?} | {other:?}"), configuration(key));
        }
    }
    eprintln!("{service}: {same} the same; otherwise: {counted:?}");
    assert!(unexplained.is_empty(), "{service}: {unexplained:#?}");
}

fn project(stage: &Stage) {
    stage.write(
        "api/requirements.txt",
        "fastapi==0.115.6\nuvicorn==0.34.0\n",
    );
    stage.write(
        "api/main.py",
        "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(\"/health\")\ndef health():\n    return \"ok\"\n",
    );
    stage.write(
        "web/package.json",
        r#"{"name":"web","private":true,"scripts":{"start":"node server.js"},"dependencies":{"left-pad":"1.3.0"}}"#,
    );
    stage.write(
        "web/server.js",
        "require(\"node:http\").createServer((request, response) => response.end(require(\"left-pad\")(1, 3))).listen(process.env.PORT || 3000);\n",
    );
    stage.write(
        "page/package.json",
        r#"{"name":"page","private":true,"type":"module","scripts":{"build":"vite build"},"devDependencies":{"vite":"6.0.7"}}"#,
    );
    stage.write(
        "page/index.html",
        "<!doctype html><title>page</title><script type=\"module\" src=\"/src/main.js\"></script>",
    );
    stage.write("page/src/main.js", "document.title = \"built\";\n");
    stage.write("relay/go.mod", "module example.com/relay\n\ngo 1.25\n");
    stage.write(
        "relay/main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n)\n\nfunc main() {\n\thttp.HandleFunc(\"GET /health\", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, \"ok\") })\n\thttp.ListenAndServe(\":18474\", nil)\n}\n",
    );
    stage.write(
        "compose.yaml",
        "services:\n  api:\n    build: ./api\n    ports: [\"8000:8000\"]\n  web:\n    build: ./web\n    ports: [\"3000:3000\"]\n  \
         page:\n    build: ./page\n    ports: [\"8080:8080\"]\n  relay:\n    build: ./relay\n    ports: [\"18474:18474\"]\n",
    );
}
