//! A walk through each image.

use plimsoll_model::RecipeKind;

use super::guide::{Guide, fence};

pub(super) fn page(guide: &Guide<'_>) -> String {
    let mut page = String::from("# Images\n\n");
    if guide.dockerfiles.is_empty() {
        page.push_str("No image is assembled from source here: each service names its own, or has a Dockerfile of its own.\n");
        return page;
    }
    page.push_str(
        "Each Dockerfile has the stages `production` (the default), `slim`, `debug`, `dev` and `test`. \
         The build context is the project's directory; `.dockerignore` says what stays out of it.\n",
    );
    for one in guide.built() {
        let path = &guide.dockerfiles[one.name()];
        let tag = format!("{}-{}", guide.name(), one.name());
        page.push_str(&format!("\n## {}\n\n", one.name()));
        let Some(recipe) = &one.service.recipe else {
            continue;
        };
        let what = match &recipe.kind {
            RecipeKind::Python(_) => {
                "`dependencies` installs what the application needs, with a compiler at hand and caches that stay out of the image; \
                 `builder` adds the application; `production` takes the environment `/app/.venv` and the sources, and neither uv nor a \
                 compiler. `slim` leaves compiled bytecode out: smaller, slower in its first start."
            }
            RecipeKind::NodeServer(_) => {
                "`dependencies` installs packages from the lock file; `builder` builds and takes away what only the build needed; \
                 `production` takes the rest. `slim` is without the package manager."
            }
            RecipeKind::StaticSite(_) => {
                "`builder` makes the pages; `production` is a web server with these files and its configuration, and no Node. \
                 Variables of the build end up in the pages: they are arguments of the build, and never secrets."
            }
            RecipeKind::Go(_) => {
                "`builder` compiles on the processor of the machine that builds, for the one that is asked for; `production` holds the \
                 program, authorities, time zones and a user, and no shell. `debug` has one."
            }
            RecipeKind::Rust(_) => {
                "`builder` compiles, with caches of crates and of what is compiled; `production` holds the program on a small system. \
                 `debug` adds tools."
            }
            RecipeKind::Dockerfile(_) => continue,
        };
        page.push_str(what);
        page.push('\n');
        if !recipe.command.is_empty() {
            page.push_str(&format!("\nIt starts `{}`", recipe.command.join(" ")));
            match recipe.ports.as_slice() {
                [] => page.push_str(".\n"),
                ports => {
                    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                    page.push_str(&format!(" and listens on {}.\n", ports.join(", ")));
                }
            }
        }
        let mut commands = vec![format!("docker build -f {path} -t {tag} .")];
        if !matches!(recipe.kind, RecipeKind::StaticSite(_)) {
            commands.push(format!(
                "docker build -f {path} --target debug -t {tag}:debug ."
            ));
        }
        commands.push(format!(
            "docker build -f {path} --target test -t {tag}:test ."
        ));
        commands.push(format!("docker run --rm {tag}:test"));
        page.push('\n');
        page.push_str(&fence(&commands));
    }
    page.push_str("\nFor both processors, published:\n\n");
    if let Some((service, path)) = guide.dockerfiles.iter().next() {
        let prefix = guide.input.registry.unwrap_or("registry.example.com/team");
        page.push_str(&fence(&[format!(
            "docker buildx build -f {path} --platform linux/amd64,linux/arm64 --build-arg VERSION=1.2.3 --build-arg REVISION=\"$(git rev-parse HEAD)\" -t {prefix}/{service}:1.2.3 --push ."
        )]));
    }
    page.push_str("\n`plimsoll build` assembles the same images without Docker.\n");
    page
}
