//! Dockerfiles of servers that hand out pages which a build of their own makes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_model::compose::{self, LoadOptions};
use plimsoll_model::{
    BuildRecipe, NodeManager, Pages, PythonDependencies, PythonRecipe, RecipeKind, StaticSiteRecipe,
};
use plimsoll_render::{ClusterOptions, Input, Stage, Target, render};

#[test]
fn pages_are_built_in_a_stage_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let compose = "name: tide\nservices:\n  api:\n    build: ./api\n";
    fs_err::write(directory.path().join("compose.yaml"), compose).unwrap();
    let options = LoadOptions {
        directory: directory.path().to_owned(),
        ..LoadOptions::default()
    };
    let mut loaded = compose::load(&options).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let root = loaded.project.directory.clone();
    let api = loaded.project.services.get_mut("api").unwrap();
    api.recipe = Some(BuildRecipe {
        context: root.join("api"),
        kind: RecipeKind::Python(PythonRecipe {
            root: PathBuf::from("."),
            requires_python: None,
            preferred_python: None,
            dependencies: PythonDependencies::None,
            install_project: None,
            extras: Vec::new(),
            undeclared: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: ["python", "main.py"].map(str::to_owned).to_vec(),
        working_dir: PathBuf::from("/app"),
        ports: vec![8000],
        pages: vec![Pages {
            context: root,
            site: StaticSiteRecipe {
                root: PathBuf::from("web"),
                manager: NodeManager::Npm,
                lock: Some(PathBuf::from("web/package-lock.json")),
                build: Some(plimsoll_model::NodeBuild::Script("build".to_owned())),
                output: PathBuf::from("../api/static"),
                build_environment: vec![("VITE_API_URL".to_owned(), String::new())],
                proxies: Vec::new(),
            },
            place: PathBuf::from("/app/static"),
        }],
    });
    let input = Input {
        project: &loaded.project,
        extensions: &loaded.extensions,
        model: Some(&loaded.resolved.model),
        stage: Stage::Production,
        registry: None,
        images: &BTreeMap::new(),
        contents: &BTreeMap::new(),
        cluster: ClusterOptions::default(),
    };
    let rendering = render(&input, &[Target::Dockerfile]).unwrap();
    let text = &rendering.files["docker/api.Dockerfile"].text;
    let of_pages: Vec<&str> = text
        .lines()
        .filter(|line| {
            ["pages", "web", "VITE", "npm"]
                .iter()
                .any(|word| line.contains(word))
        })
        .collect();
    insta::assert_snapshot!(of_pages.join("\n"), @r"
    # What builds the pages that it hands out.
    FROM node:24-trixie-slim AS pages-base
    # A private registry: --secret id=npmrc,src=$HOME/.npmrc.
    FROM pages-base AS pages-dependencies
    WORKDIR /app/web
    RUN --mount=type=cache,target=/root/.npm \
        --mount=type=cache,target=/root/.local/share/pnpm \
        --mount=type=secret,id=npmrc,target=/root/.npmrc \
        --mount=type=bind,source=web/package.json,target=/app/web/package.json,rw \
        --mount=type=bind,source=web/package-lock.json,target=/app/web/package-lock.json,rw \
        npm ci --include=dev || npm install --include=dev --no-save
    # The pages.
    FROM pages-dependencies AS pages
    # They end up in the pages, for everybody to read.
    ARG VITE_API_URL=''
    ENV VITE_API_URL=${VITE_API_URL}
    WORKDIR /app/web
    RUN npm run build
    COPY --from=pages /app/api/static /app/static
    COPY --from=pages /app/api/static /app/static
    COPY --from=pages /app/api/static /app/static
    ");
}
