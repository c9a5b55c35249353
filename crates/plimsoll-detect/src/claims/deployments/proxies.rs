//! Gateways: where nginx, Caddy and Traefik pass requests on to.

use plimsoll_diag::Span;

use super::{FILES, LARGEST};
use crate::places;
use crate::tree::Tree;

/// One place where requests are passed on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leads {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) span: Span,
}

/// Lines of one file that are looked at.
const LINES: usize = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Nginx,
    Caddy,
    Traefik,
}

/// Everywhere that gateways of a tree lead.
pub(super) fn read(tree: &Tree) -> Vec<Leads> {
    let mut found = Vec::new();
    let files = tree
        .files()
        .iter()
        .filter(|file| places::set_aside(&file.path).is_none());
    let forms = files
        .filter_map(|file| Some((file, form(&file.path)?)))
        .filter(|(file, _)| tree.is_at_most(file, LARGEST));
    for (file, form) in forms.take(FILES) {
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        let shown = tree.shown(&file.path);
        for (index, line) in text.lines().take(LINES).enumerate() {
            for (host, port) in leads(line, form) {
                let span = Span::line(shown.clone(), index as u32 + 1);
                found.push(Leads { host, port, span });
            }
        }
    }
    found
}

fn form(path: &std::path::Path) -> Option<Form> {
    let name = path.file_name()?.to_str()?;
    let within = |word: &str| {
        path.iter()
            .any(|part| part.to_str().is_some_and(|part| part.contains(word)))
    };
    if name.starts_with("Caddyfile") {
        return Some(Form::Caddy);
    }
    if name.contains(".conf") && (within("nginx") || name.starts_with("default.conf")) {
        return Some(Form::Nginx);
    }
    (within("traefik")
        && (name.ends_with(".yml") || name.ends_with(".yaml") || name.ends_with(".toml")))
    .then_some(Form::Traefik)
}

/// The hosts and ports that a line passes requests on to.
fn leads(line: &str, form: Form) -> Vec<(String, u16)> {
    let line = line.split('#').next().unwrap_or(line).trim();
    let after = |word: &str| {
        line.strip_prefix(word)
            .filter(|rest| rest.starts_with([' ', '\t']))
    };
    let targets: Vec<&str> = match form {
        Form::Nginx => after("proxy_pass")
            .or_else(|| after("server"))
            .or_else(|| after("uwsgi_pass"))
            .into_iter()
            .filter_map(|rest| rest.split_whitespace().next())
            .collect(),
        Form::Caddy => after("reverse_proxy")
            .or_else(|| after("to"))
            .into_iter()
            .flat_map(str::split_whitespace)
            .collect(),
        Form::Traefik => line
            .trim_start_matches("- ")
            .split_once("url")
            .map(|(_, rest)| rest.trim_matches([':', '=', ' ', '"', '\'']))
            .into_iter()
            .collect(),
    };
    targets
        .into_iter()
        .filter_map(|target| {
            let target = target.trim_matches(['"', '\'', ';']);
            let target = target
                .strip_prefix("http://")
                .or_else(|| target.strip_prefix("h2c://"))
                .unwrap_or(target);
            let authority = target.split('/').next()?;
            let (host, port) = authority.trim_end_matches(';').rsplit_once(':')?;
            let plain = !host.is_empty()
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            plain.then_some((host.to_owned(), port.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        let of = |line, form| leads(line, form).into_iter().next();
        let to = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(
            of("  proxy_pass http://api:8000/v1; # x", Form::Nginx),
            to("api", 8000)
        );
        assert_eq!(of("server gateway:8001;", Form::Nginx), to("gateway", 8001));
        assert_eq!(of("server {", Form::Nginx), None);
        assert_eq!(of("proxy_pass http://backend;", Form::Nginx), None);
        assert_eq!(
            of("reverse_proxy /api/* web:3000", Form::Caddy),
            to("web", 3000)
        );
        assert_eq!(
            of("- url: \"http://web:3000\"", Form::Traefik),
            to("web", 3000)
        );
        assert_eq!(of("proxy_pass http://$host:80;", Form::Nginx), None);
    }
}
