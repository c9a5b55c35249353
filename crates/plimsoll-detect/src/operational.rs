//! Paths that a server answers besides its own work: health, metrics, the endpoints of a protocol.

use std::collections::BTreeSet;

/// Last parts of such paths.
const OPERATIONAL: &[&str] = &[
    "ready",
    "readyz",
    "health",
    "healthz",
    "healthcheck",
    "live",
    "livez",
    "ping",
    "status",
    "version",
    "metrics",
    "stats",
    "mcp",
    "sse",
    "message",
    "messages",
];

/// How many of them tell how a program is doing; the others belong to a protocol.
const TELLING: usize = 12;

/// Whether so many paths are more than a server of the Model Context Protocol has: then it is a server that speaks the
/// protocol besides.
pub(crate) fn has_pages_of_its_own<'p>(paths: impl Iterator<Item = &'p str>) -> bool {
    let own: BTreeSet<&str> = paths
        .map(|path| path.trim_end_matches('/'))
        .filter(|path| {
            let last = path.rsplit('/').next().unwrap_or_default();
            !path.is_empty()
                && !OPERATIONAL.contains(&last)
                && !path.contains("/.well-known")
                && !path.contains("/debug/pprof")
                && !path.contains("oauth")
        })
        .collect();
    own.len() > 2
}

/// Whether there are paths, and all of them only tell how a program is doing.
pub(crate) fn is_only_operational<'p>(paths: impl Iterator<Item = &'p str>) -> bool {
    let mut any = false;
    let mut paths = paths.map(|path| path.trim_end_matches('/'));
    paths.all(|path| {
        any = true;
        let last = path.rsplit('/').next().unwrap_or_default();
        path.is_empty() || path.contains("/debug/pprof") || OPERATIONAL[..TELLING].contains(&last)
    }) && any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_and_metrics_are_no_pages() {
        let of = |paths: &[&str]| has_pages_of_its_own(paths.iter().copied());
        assert!(!of(&[
            "/healthz",
            "/metrics",
            "/",
            "/mcp",
            "/.well-known/x",
            "/sse",
            "/message"
        ]));
        assert!(!of(&["/a", "/a/", "/a"]));
        assert!(of(&["/a", "/b", "/c"]));
        let only = |paths: &[&str]| is_only_operational(paths.iter().copied());
        assert!(only(&["/healthz", "/metrics", "/"]));
        assert!(!only(&["/healthz", "/orders"]) && !only(&["/mcp"]) && !only(&[]));
    }
}
