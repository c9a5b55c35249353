//! Dockerfiles of sites that are built once and served as files.

use plimsoll_model::{RecipeKind, StaticSiteRecipe};

use super::node::{Tools, developed_sources, development_script, packages};
use super::{DIRECTORY, NOBODY, Place, USER, Writer, images, place};
use crate::{Fidelity, Loss, addresses};

/// What serves the files: its image has a program to ask with.
const SERVER: &str = "nginx:1.28-alpine";

/// The port it listens on; any user may bind it.
const PORT: u16 = 8080;

/// Where the files are in the image.
const SITE: &str = "/srv/site";

pub(super) fn write(writer: &mut Writer<'_, '_>, site: &StaticSiteRecipe) {
    let configuration = format!("{DIRECTORY}/{}.nginx.conf", writer.one.name());
    let text = configuration_text(writer, site);
    writer.rendering.file(configuration.clone(), text);

    if let Some(build) = &site.build {
        let tools = Tools::of(site.manager);
        let node = writer.base(&images::node(None));
        writer.script.stage(&node, "base", "What builds the pages.");
        tools.install(writer);
        let root = place::text(&place::plain(&site.root));
        packages(
            writer,
            &tools,
            &site.root,
            site.lock.as_deref(),
            "dependencies",
            "base",
        );
        writer.script.stage("dependencies", "builder", "The pages.");
        build_variables(writer, &site.build_environment);
        unset_variables(writer);
        let directory = writer.place.directory();
        writer.script.line(&format!("COPY {directory} /app/"));
        writer
            .script
            .line(&format!("WORKDIR {}", below("/app", &root)));
        writer.script.run(&[], &[tools.build(build)]);

        writer.script.stage(
            "dependencies",
            "dev",
            "For development: the bundler's own server, which shows a change at once.",
        );
        developed_sources(writer, &below("/app", &root));
        writer.script.line("ENV HOME=/tmp NODE_ENV=development");
        writer
            .script
            .environment([("PORT", "8080"), ("HOST", "0.0.0.0")]);
        writer.script.line(&format!("USER {}", NOBODY.0));
        writer.script.line(&format!("EXPOSE {PORT}"));
        writer.script.line("HEALTHCHECK NONE");
        let word = development_script(writer.input, writer.recipe, &site.root);
        let mut command = tools.run(word);
        if tools.separates() {
            command.push("--".to_owned());
        }
        command.extend(["--host", "0.0.0.0", "--port", "8080"].map(str::to_owned));
        writer.script.exec("CMD", &command);

        writer.script.stage(
            "builder",
            "test",
            "The project's own tests, inside its image.",
        );
        writer.script.line("ENV CI=true HOME=/tmp");
        writer.script.line(&format!("USER {USER}:{USER}"));
        writer.script.exec("CMD", &tools.run("test"));
    }

    let server = writer.base(SERVER);
    writer
        .script
        .stage(&server, "runtime", "How the pages are served.");
    writer
        .script
        .line(&format!("COPY {configuration} /etc/nginx/nginx.conf"));
    writer.script.line(&format!("WORKDIR {SITE}"));
    writer.script.line(&format!("USER {USER}:{USER}"));
    writer.script.line(&format!("EXPOSE {PORT}"));
    writer.script.line("STOPSIGNAL SIGQUIT");
    writer.script.line(&format!(
        "HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \\\n    CMD [\"wget\", \"-q\", \"-O\", \"/dev/null\", \"http://127.0.0.1:{PORT}/healthz\"]"
    ));
    writer.script.line("ENTRYPOINT []");
    writer
        .script
        .line("CMD [\"nginx\", \"-e\", \"stderr\", \"-g\", \"daemon off;\"]");
    writer.script.line("ARG VERSION=0.0.0");
    writer.script.line("ARG REVISION=unknown");
    let (name, project) = (writer.one.name(), writer.input.project.name.as_str());
    writer.script.labels([
        ("org.opencontainers.image.title", name),
        ("org.opencontainers.image.vendor", project),
    ]);
    writer.script.line(
        "LABEL org.opencontainers.image.version=\"${VERSION}\" \\\n    \
         org.opencontainers.image.revision=\"${REVISION}\"",
    );
    let output = place::plain(&site.root.join(&site.output));
    let copy = match site.build {
        Some(_) => format!(
            "COPY --from=builder {} {SITE}",
            below("/app", &place::text(&output))
        ),
        None => format!("COPY {} {SITE}", writer.place.path(&output)),
    };
    for (name, what) in [
        ("slim", "The same: nothing in it is there for comfort."),
        (
            "debug",
            "The image of production; its base has a shell already.",
        ),
        ("production", "What is published and runs."),
    ] {
        writer.script.stage("runtime", name, what);
        writer.script.line(&copy);
    }
    writer.loss(
        Loss::new(
            Fidelity::Approximate,
            format!("services.{}.build", writer.one.name()),
            format!(
                "its pages are served by `{SERVER}` instead of Plimsoll's own choice of packages"
            ),
        )
        .at(writer.one.service.span.clone()),
    );
}

/// The stages that build pages which a server hands out.
pub(super) fn pages(writer: &mut Writer<'_, '_>) {
    for (index, pages) in writer.recipe.pages.iter().enumerate() {
        let Some(place) = Place::of_context(writer.input, &pages.context) else {
            writer.loss(
                Loss::new(
                    Fidelity::Dropped,
                    format!("services.{}.build", writer.one.name()),
                    "its pages are built from files outside of the project's directory, which no build context holds",
                )
                .at(writer.one.service.span.clone())
                .hint("render in a directory that holds both"),
            );
            continue;
        };
        let own = std::mem::replace(&mut writer.place, place);
        let (site, name) = (&pages.site, pages_stage(index));
        let tools = Tools::of(site.manager);
        let node = writer.base(&images::node(None));
        let (base, dependencies) = (format!("{name}-base"), format!("{name}-dependencies"));
        writer
            .script
            .stage(&node, &base, "What builds the pages that it hands out.");
        tools.install(writer);
        let lock = site.lock.as_deref();
        packages(writer, &tools, &site.root, lock, &dependencies, &base);
        writer.script.stage(&dependencies, &name, "The pages.");
        build_variables(writer, &site.build_environment);
        let directory = writer.place.directory();
        writer.script.line(&format!("COPY {directory} /app/"));
        let root = place::text(&place::plain(&site.root));
        writer
            .script
            .line(&format!("WORKDIR {}", below("/app", &root)));
        if let Some(build) = &site.build {
            writer.script.run(&[], &[tools.build(build)]);
        }
        writer.place = own;
    }
}

/// Puts the pages that a server hands out into its image.
pub(super) fn copy_pages(writer: &mut Writer<'_, '_>) {
    for (index, pages) in writer.recipe.pages.iter().enumerate() {
        if Place::of_context(writer.input, &pages.context).is_none() {
            continue;
        }
        let output = place::plain(&pages.site.root.join(&pages.site.output));
        writer.script.line(&format!(
            "COPY --from={} {} {}",
            pages_stage(index),
            below("/app", &place::text(&output)),
            pages.place.display()
        ));
    }
}

/// The stage that holds what the build of pages left.
fn pages_stage(index: usize) -> String {
    match index {
        0 => "pages".to_owned(),
        index => format!("pages-{}", index + 1),
    }
}

/// Variables of the build: what the bundler writes into the pages, so nothing secret.
pub(super) fn build_variables(writer: &mut Writer<'_, '_>, variables: &[(String, String)]) {
    if variables.is_empty() {
        return;
    }
    writer
        .script
        .note("They end up in the pages, for everybody to read.");
    for (name, value) in variables {
        writer
            .script
            .line(&format!("ARG {name}={}", super::script::word(value)));
        writer.script.line(&format!("ENV {name}=${{{name}}}"));
    }
}

/// Variables that the pages read and nothing sets: `--build-arg` may. What is not given is not set
/// at all, so that the sources' own defaults count.
fn unset_variables(writer: &mut Writer<'_, '_>) {
    let Some(RecipeKind::StaticSite(site)) = writer.one.service.recipe.as_ref().map(|it| &it.kind)
    else {
        return;
    };
    let unset: Vec<String> = addresses::build_variables(writer.input, writer.one)
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !site.build_environment.iter().any(|(set, _)| set == name))
        .collect();
    if unset.is_empty() {
        return;
    }
    writer
        .script
        .note("Read by the pages, with defaults of their own; `--build-arg` sets them.");
    for name in unset {
        writer.script.line(&format!("ARG {name}"));
    }
}

/// A path below a directory of the image.
pub(super) fn below(directory: &str, path: &str) -> String {
    match path {
        "." => directory.to_owned(),
        path => format!("{directory}/{path}"),
    }
}

fn configuration_text(writer: &Writer<'_, '_>, site: &StaticSiteRecipe) -> String {
    let mut passed = String::new();
    for proxy in &site.proxies {
        let path = proxy.path.trim_end_matches('/');
        let (location, target) = match &proxy.replacement {
            None => (path.to_owned(), String::new()),
            Some(with) => (
                format!("{path}/"),
                format!("{}/", with.trim_end_matches('/')),
            ),
        };
        passed.push_str(&format!(
            "
    location ^~ {location} {{
      proxy_pass http://{upstream}{target};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_read_timeout 1h;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $passed_connection;
    }}
",
            upstream = proxy.upstream
        ));
    }
    let upgrade = match passed.is_empty() {
        true => "",
        false => {
            "\n  map $http_upgrade $passed_connection {\n    default upgrade;\n    \"\" \"\";\n  }\n"
        }
    };
    format!(
        r#"{header}# Everything that is written goes below /tmp: the root of the image is read-only.
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;

events {{
  worker_connections 1024;
}}

http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  server_tokens off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 65;
  absolute_redirect off;

  client_body_temp_path /tmp/client-body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;

  gzip on;
  gzip_vary on;
  gzip_min_length 1024;
  gzip_types application/javascript application/json application/manifest+json application/wasm application/xml image/svg+xml text/css text/javascript text/plain;
{upgrade}
  server {{
    listen {PORT};
    root {SITE};

    location = /healthz {{
      default_type text/plain;
      return 200 "ok\n";
    }}
{passed}
    # Files whose names carry a hash of their content never change.
    location ~ "^/(assets|static|_astro|_app/immutable)/.*[.-][A-Za-z0-9_-]{{8,}}\.[a-z0-9]+(\.map)?$" {{
      add_header Cache-Control "public, max-age=31536000, immutable";
      try_files $uri =404;
    }}

    # A missing file is not found; any other path is one of the application's own.
    location ~ "\.[A-Za-z0-9]+$" {{
      add_header Cache-Control "no-cache";
      try_files $uri =404;
    }}
    location / {{
      add_header Cache-Control "no-cache";
      try_files $uri $uri/index.html $uri.html /index.html =404;
    }}
  }}
}}
"#,
        header = crate::header::header(writer.input, "dockerfile"),
    )
}
