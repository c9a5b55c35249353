//! The configuration of the server that hands out a built site.

use std::fmt::Write as _;

/// The port it listens on; any user may bind it.
pub(super) const PORT: u16 = 8080;

/// Where the site is in the image.
pub(super) const SITE: &str = "/srv/site";

/// Where the configuration is in the image. It is not nginx's usual place, which the package's
/// own file has.
pub(super) const CONFIGURATION: &str = "/etc/plimsoll/nginx.conf";

/// Kinds of content worth compressing besides HTML, which always is.
const COMPRESSED: &[&str] = &[
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/wasm",
    "application/xml",
    "image/svg+xml",
    "text/css",
    "text/javascript",
    "text/plain",
];

/// Directories into which bundlers put files whose names carry a hash of their content.
const HASHED: &str = "(assets|static|_astro|_app/immutable|_next/static)";

/// The whole configuration.
///
/// A path whose last component has no extension is a route of the application and gets
/// `index.html`; one that has an extension is a file, and 404 when it is missing, so that a
/// missing script does not come back as a page. Everything that is written goes below `/tmp`,
/// since the root is read-only.
pub(super) fn configuration() -> String {
    let mut text = String::new();
    // `write!` to a string cannot fail.
    let _ = write!(
        text,
        r#"daemon off;
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;

events {{
    worker_connections 1024;
}}

http {{
    include /etc/nginx/mime.types;
    types {{
        application/manifest+json webmanifest;
        text/javascript mjs;
    }}
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
    gzip_types {types};

    server {{
        listen {PORT};
        root {SITE};

        location = /healthz {{
            default_type text/plain;
            return 200 "ok\n";
        }}
        location ~ "^/{HASHED}/.*[.-][A-Za-z0-9_-]{{8,}}\.[a-z0-9]+(\.map)?$" {{
            add_header Cache-Control "public, max-age=31536000, immutable";
            try_files $uri =404;
        }}
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
        types = COMPRESSED.join(" "),
    );
    text
}

/// Whether a path of the site names its content, so that it never changes.
pub(super) fn is_hashed(path: &str) -> bool {
    let directories = [
        "assets/",
        "static/",
        "_astro/",
        "_app/immutable/",
        "_next/static/",
    ];
    if !directories.iter().any(|start| path.starts_with(start)) {
        return false;
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, _)) = name.trim_end_matches(".map").rsplit_once('.') else {
        return false;
    };
    stem.rsplit(['-', '.'])
        .next()
        .is_some_and(|hash| hash.len() >= 8 && stem.len() > hash.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_are_told_from_others() {
        assert!(is_hashed("assets/index-DFvLldN9.js"));
        assert!(is_hashed("static/js/main.1a2b3c4d.js.map"));
        assert!(!is_hashed("assets/logo.svg"));
        assert!(!is_hashed("index-DFvLldN9.js"));
        assert!(!is_hashed("assets/readme"));
    }

    #[test]
    fn the_configuration_binds_no_privileged_port_and_writes_only_below_tmp() {
        let text = configuration();
        assert!(text.contains("listen 8080;"));
        for line in text.lines().filter(|line| line.contains("temp_path")) {
            assert!(line.contains(" /tmp/"), "{line}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
