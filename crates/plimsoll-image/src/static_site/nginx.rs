//! The configuration of the server that hands out a built site.

use std::fmt::Write as _;

use plimsoll_model::SiteProxy;

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
/// since the root is read-only. What is passed on keeps its connection for as long as the service
/// does: answers are not collected first, and a connection may become a WebSocket.
pub(super) fn configuration(proxies: &[SiteProxy]) -> String {
    let mut text = String::new();
    let mut passed = String::new();
    for proxy in proxies.iter().filter(|proxy| is_plain(proxy)) {
        let path = proxy.path.trim_end_matches('/');
        // With a path after the address, nginx puts it in the place of the location's.
        let (location, target) = match &proxy.replacement {
            None => (path.to_string(), String::new()),
            Some(with) => (
                format!("{path}/"),
                format!("{}/", with.trim_end_matches('/')),
            ),
        };
        let _ = write!(
            passed,
            r#"
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
        }}"#,
            upstream = proxy.upstream,
        );
    }
    let upgrade = match proxies {
        [] => "",
        _ => {
            r#"
    map $http_upgrade $passed_connection {
        default upgrade;
        "" "";
    }
"#
        }
    };
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
{upgrade}
    server {{
        listen {PORT};
        root {SITE};

        location = /healthz {{
            default_type text/plain;
            return 200 "ok\n";
        }}{passed}
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

/// Whether a proxy can be written into the configuration as it is.
fn is_plain(proxy: &SiteProxy) -> bool {
    let plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._:-~".contains(c))
    };
    proxy.path.starts_with('/')
        && !proxy.path.trim_end_matches('/').is_empty()
        && plain(&proxy.path)
        && plain(&proxy.upstream)
        && proxy.replacement.as_deref().is_none_or(plain)
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
        let text = configuration(&[]);
        assert!(text.contains("listen 8080;"));
        for line in text.lines().filter(|line| line.contains("temp_path")) {
            assert!(line.contains(" /tmp/"), "{line}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    #[test]
    fn paths_of_a_service_are_passed_on_and_nothing_else_gets_in() {
        let proxy = |path: &str, replacement: Option<&str>| SiteProxy {
            path: path.to_string(),
            replacement: replacement.map(str::to_string),
            upstream: "backend:8000".to_string(),
        };
        let text = configuration(&[
            proxy("/api", None),
            proxy("/rest", Some("")),
            proxy("/x { return 200; }", None),
            proxy("/", None),
        ]);
        assert!(text.contains("location ^~ /api {\n            proxy_pass http://backend:8000;"));
        assert!(
            text.contains("location ^~ /rest/ {\n            proxy_pass http://backend:8000/;")
        );
        assert_eq!(text.matches("proxy_pass").count(), 2);
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
