//! Where in the tree a walk stands.

use std::fmt;

/// A chain of keys from the root, kept on the stack of the walk itself.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    segment: &'p str,
    depth: usize,
}

/// Longest chain that rules about places look at.
const LONGEST: usize = 10;

impl<'p> Path<'p> {
    /// The root.
    pub(super) const ROOT: Path<'static> = Path {
        parent: None,
        segment: "",
        depth: 0,
    };

    /// One key further; elements of lists are named `[]`.
    pub(super) fn child(&'p self, segment: &'p str) -> Path<'p> {
        Path {
            parent: Some(self),
            segment,
            depth: self.depth + 1,
        }
    }

    /// Number of keys.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Shows the chain to `look`; chains too long for any rule are shown as empty.
    pub(super) fn view<R>(&self, look: impl FnOnce(&[&str]) -> R) -> R {
        let mut segments = [""; LONGEST];
        if self.depth > LONGEST {
            return look(&[]);
        }
        let mut at = Some(self);
        while let Some(path) = at.filter(|path| path.depth > 0) {
            segments[path.depth - 1] = path.segment;
            at = path.parent;
        }
        look(&segments[..self.depth])
    }

    /// Whether the chain is `pattern`, in which `*` stands for any key.
    pub(super) fn matches(&self, pattern: &[String]) -> bool {
        if pattern.len() != self.depth {
            return false;
        }
        let mut at = Some(self);
        for expected in pattern.iter().rev() {
            let Some(path) = at else { return false };
            if expected != "*" && expected != path.segment {
                return false;
            }
            at = path.parent;
        }
        true
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent.filter(|parent| parent.depth > 0) {
            write!(formatter, "{parent}")?;
            if self.segment != "[]" {
                formatter.write_str(".")?;
            }
        }
        formatter.write_str(self.segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_and_match() {
        let services = Path::ROOT.child("services");
        let web = services.child("web");
        let ports = web.child("ports");
        let port = ports.child("[]");
        assert_eq!(port.to_string(), "services.web.ports[]");
        assert!(port.view(|path| matches!(path, ["services", _, "ports", "[]"])));
        assert!(web.matches(&["services".into(), "*".into()]));
        assert!(!web.matches(&["services".into(), "db".into()]));
    }
}
