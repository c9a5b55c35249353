//! Pages that a server hands out: built beside it, they are files of its image and no site of their own.

use plimsoll_detect::Detection;
use plimsoll_model::RecipeKind;

use crate::tree::{found, lines};

const PAGE: (&str, &str) = ("web/index.html", "<div id=app></div>");

/// The manifest of a site that Vite builds with this script.
fn manifest(build: &str) -> String {
    format!(r#"{{"name":"web","scripts":{{"build":"{build}"}},"devDependencies":{{"vite":"6"}}}}"#)
}

/// What is found beside a site, with a manifest and a configuration of Vite.
fn beside(build: &str, vite: &str, files: &[(&str, &str)]) -> Detection {
    let manifest = manifest(build);
    let mut all = vec![
        PAGE,
        ("web/package.json", manifest.as_str()),
        ("web/package-lock.json", "{}"),
        ("web/vite.config.ts", vite),
    ];
    all.extend(files);
    found(&all)
}

/// Where the image of the only service has pages, and where the build leaves them, seen from the tree.
fn pages(detection: &Detection) -> Vec<String> {
    let [service] = detection.services.as_slice() else {
        panic!("one service: {:?}", lines(detection));
    };
    let recipe = service.recipe.as_ref().unwrap();
    let pages = recipe.pages.iter();
    pages
        .map(|pages| {
            let site = &pages.site;
            format!(
                "{} from {}",
                pages.place.display(),
                site.root.join(&site.output).display()
            )
        })
        .collect()
}

/// Root and output of the only site.
fn site(detection: &Detection) -> (String, String) {
    let sites =
        detection
            .services
            .iter()
            .filter_map(|service| match &service.recipe.as_ref()?.kind {
                RecipeKind::StaticSite(site) => Some(site),
                _ => None,
            });
    let sites: Vec<_> = sites.collect();
    let [site] = sites.as_slice() else {
        panic!("one site: {:?}", lines(detection));
    };
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    (text(&site.root), text(&site.output))
}

const FASTAPI: &str = "from pathlib import Path\nfrom fastapi import FastAPI\nfrom fastapi.staticfiles import StaticFiles\n\
     app = FastAPI()\n";

#[test]
fn pages_built_into_the_directory_of_a_server_of_python() {
    let outside = "export default { build: { outDir: path.resolve(__dirname, '../api/static') } }";
    for serves in [
        "app.mount('/', StaticFiles(directory='static', html=True))\n",
        "HERE = Path(__file__).resolve().parent\napp.mount('/', StaticFiles(directory=HERE / 'static'))\n",
        "STATIC = Path(__file__).parent / 'static'\napp.mount('/assets', StaticFiles(directory=STATIC / 'assets'))\n",
        // Nothing says so: whose directory it is counts.
        "",
    ] {
        let detection = beside(
            "vite build",
            outside,
            &[
                ("api/requirements.txt", "fastapi\nuvicorn\n"),
                ("api/main.py", &format!("{FASTAPI}{serves}")),
            ],
        );
        assert_eq!(
            pages(&detection),
            ["/app/static from web/../api/static"],
            "{serves}"
        );
        assert!(
            detection
                .rejected
                .iter()
                .any(|one| one.why == "its pages are files of the server in `api/main.py`"),
            "{:?}",
            detection.rejected
        );
    }
}

#[test]
fn pages_that_the_tree_has_as_they_were_built_are_taken_by_an_image_without_a_bundler() {
    let outside = "export default { build: { outDir: path.resolve(__dirname, '../api/static') } }";
    let application =
        format!("{FASTAPI}app.mount('/', StaticFiles(directory='static', html=True))\n");
    let of = |image: &str, built: &str| {
        let detection = beside(
            "vite build",
            outside,
            &[
                ("api/requirements.txt", "fastapi\nuvicorn\n"),
                ("api/main.py", &application),
                ("api/Dockerfile", image),
                (built, "<html></html>"),
            ],
        );
        pages(&detection)
    };
    let plain = "FROM python:3.13\nCOPY . /app\nRUN pip install -r /app/requirements.txt\n";
    let staged =
        "FROM node:22 AS web\nRUN npm ci && npm run build\nFROM python:3.13\nCOPY . /app\n";
    let built = ["/app/static from web/../api/static"];
    assert!(of(plain, "api/static/index.html").is_empty());
    assert_eq!(of(staged, "api/static/index.html"), built);
    assert_eq!(of(plain, "api/static/logo.html"), built);
}

#[test]
fn a_server_looks_for_pages_where_the_bundler_leaves_them() {
    let python = format!(
        "{FASTAPI}DIST = Path(__file__).parent.parent / 'web' / 'dist'\nif DIST.is_dir():\n    app.mount('/', StaticFiles(directory=DIST))\n"
    );
    let detection = beside(
        "vite build",
        "export default {}",
        &[
            ("api/requirements.txt", "fastapi\nuvicorn\n"),
            ("api/main.py", &python),
        ],
    );
    assert_eq!(pages(&detection), ["/web/dist from ./dist"]);

    let manifest =
        r#"{"name":"api","scripts":{"start":"node index.js"},"dependencies":{"express":"4"}}"#;
    for serves in [
        "app.use(express.static(path.join(__dirname, '../web/dist')));",
        "const pages = path.resolve('..', 'web', 'dist');\napp.use(express.static(pages));",
        "app.get('*', (q, a) => a.sendFile(path.join(__dirname, '..', 'web/dist', 'index.html')));",
    ] {
        let server = format!(
            "const express = require('express');\nconst path = require('path');\nconst app = express();\n{serves}\napp.listen(4100);\n"
        );
        let detection = beside(
            "vite build",
            "export default {}",
            &[("api/package.json", manifest), ("api/index.js", &server)],
        );
        assert_eq!(pages(&detection), ["/web/dist from ./dist"], "{serves}");
    }
}

#[test]
fn what_is_started_on_its_own_stays_a_site() {
    let python = format!("{FASTAPI}app.mount('/', StaticFiles(directory='../web/dist'))\n");
    let server = [
        ("api/requirements.txt", "fastapi\nuvicorn\n"),
        ("api/main.py", python.as_str()),
    ];
    let image = (
        "web/Dockerfile",
        "FROM nginx\nCOPY dist /usr/share/nginx/html\n",
    );
    let detection = beside(
        "vite build",
        "export default {}",
        &[server.as_slice(), &[image]].concat(),
    );
    assert_eq!(detection.services.len(), 2);
    // A server that hands out other files has nothing to do with it.
    let python = format!("{FASTAPI}app.mount('/', StaticFiles(directory='files'))\n");
    let detection = beside(
        "vite build",
        "export default {}",
        &[server[0], ("api/main.py", python.as_str())],
    );
    assert_eq!(detection.services.len(), 2);
}

#[test]
fn the_build_of_a_site_leaves_its_package() {
    let of = |build: &str, vite: &str| site(&beside(build, vite, &[("README.md", "")]));
    let pair = |root: &str, output: &str| (root.to_owned(), output.to_owned());
    assert_eq!(of("vite build", "export default {}"), pair(".", "dist"));
    assert_eq!(
        of(
            "vite build",
            "export default { build: { outDir: '../out' } }"
        ),
        pair("web", "../out")
    );
    assert_eq!(
        of("tsc -b && vite build --outDir=../out", "export default {}"),
        pair("web", "../out")
    );
    // A relative directory is seen from that of the sources, another one is not.
    let inside = |out: &str| {
        let vite = format!("export default {{ root: 'client', build: {{ outDir: {out} }} }}");
        of("vite build", &vite)
    };
    assert_eq!(inside("'../dist'"), pair(".", "dist"));
    assert_eq!(inside("'dist'"), pair(".", "client/dist"));
    assert_eq!(
        inside("path.resolve(import.meta.dirname, 'dist/public')"),
        pair(".", "dist/public")
    );
}

#[test]
fn other_programs_say_where_their_pages_go() {
    let of = |dependencies: &str, build: &str, file: (&str, &str)| {
        let manifest = format!(
            r#"{{"name":"web","scripts":{{"build":"{build}"}},"dependencies":{{{dependencies}}}}}"#
        );
        let detection = found(&[
            ("web/package.json", &manifest),
            ("web/package-lock.json", "{}"),
            ("web/src/index.js", ""),
            file,
        ]);
        site(&detection)
    };
    let outside = |output: &str| ("web".to_owned(), output.to_owned());
    let none = ("README.md", "");
    assert_eq!(
        of(
            r#""react-scripts":"5""#,
            "BUILD_PATH='../api/static' react-scripts build",
            none
        ),
        outside("../api/static")
    );
    assert_eq!(
        of(
            r#""@angular/core":"19""#,
            "ng build",
            (
                "web/angular.json",
                r#"{"projects":{"web":{"architect":{"build":{"builder":"@angular/build:application","options":{"outputPath":{"base":"../static","browser":""}}}}}}}"#
            )
        ),
        outside("../static")
    );
    assert_eq!(
        of(
            r#""@sveltejs/kit":"2","@sveltejs/adapter-static":"3""#,
            "vite build",
            (
                "web/svelte.config.js",
                "import adapter from '@sveltejs/adapter-static';\nexport default { kit: { adapter: adapter({ pages: '../static' }) } };"
            )
        ),
        outside("../static")
    );
    assert_eq!(
        of(
            r#""webpack":"5","html-webpack-plugin":"5""#,
            "webpack --mode production",
            (
                "web/webpack.config.js",
                "const path = require('path');\nmodule.exports = { output: { path: path.resolve(__dirname, '..', 'static') } };"
            )
        ),
        outside("../static")
    );
}

#[test]
fn pages_are_copied_to_where_a_server_hands_them_out() {
    let flask = "from flask import Flask\napp = Flask(__name__, static_folder='../static')\n";
    let fastapi = format!("{FASTAPI}app.mount('/', StaticFiles(directory='static', html=True))\n");
    let of = |build: &str, file: (&str, &str), server: (&str, &str)| {
        let detection = beside(
            build,
            "export default {}",
            &[
                ("api/requirements.txt", "fastapi\nuvicorn\nflask\n"),
                server,
                file,
            ],
        );
        match detection.services.len() {
            1 => pages(&detection),
            _ => Vec::new(),
        }
    };
    let server = ("api/main.py", fastapi.as_str());
    let none = ("README.md", "");
    let script = (
        "build.sh",
        "cd web\nnpm run build\ncp -a ./dist/. ../api/static\n",
    );
    let image = "FROM node:22 AS pages\nWORKDIR /app/web\nCOPY web/ .\nRUN npm run build\n\
                 FROM python:3.13\nWORKDIR /app\nCOPY api/ api/\nCOPY --from=pages /app/web/dist /app/api/static\n";
    let there = ["/app/static from ./dist"];
    assert_eq!(
        of("vite build && cp -r dist ../api/static", none, server),
        there
    );
    assert_eq!(of("vite build", script, server), there);
    assert_eq!(of("vite build", ("Dockerfile", image), server), there);
    // Flask looks beside the file that makes the application.
    let application = ("api/desk/__init__.py", flask);
    assert_eq!(of("vite build", script, application), there);
    // Nobody hands out what is copied for another purpose.
    let elsewhere = ("build.sh", "cp -r web/dist docs/\n");
    assert!(of("vite build", elsewhere, server).is_empty());
}
