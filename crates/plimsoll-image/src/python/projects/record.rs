//! Lines of an installed distribution's `RECORD`: path, hash, size.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Digest;

/// The line of a file; `None` where its path would have to be quoted.
pub(super) fn line(path: &str, digest: &Digest, size: u64) -> Option<String> {
    let is_plain = !path.contains([',', '"', '\n', '\r']);
    is_plain.then(|| {
        let hash = URL_SAFE_NO_PAD.encode(digest.bytes());
        format!("{path},sha256={hash},{size}")
    })
}

/// A record in which these files have other lines. Its order is that of an image: sorted.
pub(super) fn rewritten(record: &str, lines: &BTreeMap<&str, String>) -> String {
    let mut all: Vec<&str> = record
        .lines()
        .map(|line| {
            let path = line.split(',').next().unwrap_or_default();
            lines.get(path).map_or(line, String::as_str)
        })
        .collect();
    all.sort_unstable();
    all.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_backends_write() {
        let digest = Digest::of(b"x = 1\n");
        insta::assert_snapshot!(line("a/b.py", &digest, 6).unwrap(), @"a/b.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6");
        assert_eq!(line("a,b.py", &digest, 6), None);
    }

    #[test]
    fn only_the_lines_of_what_changed_are_others() {
        let record = "a.py,sha256=x,1\na.py2,sha256=y,2\na-1.dist-info/RECORD,,\n";
        let lines = BTreeMap::from([("a.py", "a.py,sha256=z,3".to_string())]);
        assert_eq!(
            rewritten(record, &lines),
            "a-1.dist-info/RECORD,,\na.py,sha256=z,3\na.py2,sha256=y,2\n"
        );
    }
}
