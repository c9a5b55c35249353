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
    "mcp",
    "sse",
    "message",
    "messages",
];

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
    }
}
