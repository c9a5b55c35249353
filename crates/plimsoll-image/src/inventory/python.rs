//! Python distributions as their metadata directories tell them.

use serde::{Deserialize, Serialize};

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Distribution {
    /// As PEP 503 normalises it.
    pub name: String,
    pub version: String,
    pub licence: Option<String>,
    /// Normalised names that it needs without any extra.
    pub needs: Vec<String>,
}

/// `Typing_Extensions` → `typing-extensions`.
pub(crate) fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normal.is_empty() {
            normal.push('-');
        }
        normal.push_str(&part.to_ascii_lowercase());
    }
    normal
}

/// Reads `METADATA` or `PKG-INFO`.
pub(super) fn distribution(text: &str) -> Option<Distribution> {
    let head = text.split("\n\n").next().unwrap_or_default();
    let fields = || {
        head.lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
    };
    let get = |wanted: &str| {
        fields()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    let classifiers: Vec<&str> = fields()
        .filter(|(name, _)| *name == "Classifier")
        .filter_map(|(_, value)| value.strip_prefix("License :: "))
        .filter_map(|value| value.rsplit(" :: ").next())
        .filter(|value| *value != "OSI Approved")
        .collect();
    // Some distributions put the licence's whole text into the field.
    let short = |text: &&str| !text.is_empty() && text.len() < 80 && *text != "UNKNOWN";
    let licence = get("License-Expression")
        .filter(short)
        .or_else(|| get("License").filter(short))
        .map(str::to_owned)
        .or_else(|| (!classifiers.is_empty()).then(|| classifiers.join(", ")));
    let mut needs: Vec<String> = fields()
        .filter(|(name, _)| *name == "Requires-Dist")
        .filter(|(_, value)| !value.contains("extra ==") && !value.contains("extra=="))
        .filter_map(|(_, value)| {
            let end = value
                .find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter))
                .unwrap_or(value.len());
            (end > 0).then(|| normalised(&value[..end]))
        })
        .collect();
    needs.sort_unstable();
    needs.dedup();
    Some(Distribution {
        name: normalised(get("Name")?),
        version: get("Version")?.to_owned(),
        licence,
        needs,
    })
}

/// The paths of a `RECORD`, relative to the directory that holds the metadata directory.
pub(super) fn recorded(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            if let Some(quoted) = line.strip_prefix('"') {
                let end = quoted.find("\",")?;
                return Some(quoted[..end].replace("\"\"", "\""));
            }
            line.split(',').next().map(str::to_owned)
        })
        .filter(|path| !path.is_empty())
        .collect()
}

/// The source that a compiled module was made from: `a/__pycache__/b.cpython-313.pyc` → `a/b.py`.
pub(super) fn source_of(path: &str) -> Option<String> {
    let (directory, file) = path.rsplit_once('/')?;
    let package = directory.strip_suffix("__pycache__")?;
    let module = file.strip_suffix(".pyc")?;
    let stem = module
        .split_once(".cpython-")
        .map_or(module, |(stem, _)| stem);
    Some(format!("{package}{stem}.py"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_tells_name_licence_and_needs() {
        let text = "Metadata-Version: 2.4\nName: My_Package.X\nVersion: 1.2\n\
                    License-Expression: MIT\nClassifier: License :: OSI Approved :: BSD License\n\
                    Requires-Dist: anyio<5,>=3.6\nRequires-Dist: uvicorn[standard] ; extra == 'all'\n\
                    Requires-Dist: tzdata; sys_platform == \"win32\"\n\nName: not this\n";
        let read = distribution(text).unwrap();
        assert_eq!(read.name, "my-package-x");
        assert_eq!(read.licence.as_deref(), Some("MIT"));
        assert_eq!(read.needs, ["anyio", "tzdata"]);
    }

    #[test]
    fn classifiers_stand_in_for_a_licence() {
        let text = "Name: a\nVersion: 1\nClassifier: License :: OSI Approved :: BSD License\n";
        assert_eq!(
            distribution(text).unwrap().licence.as_deref(),
            Some("BSD License")
        );
        assert_eq!(distribution("Name: a\n"), None);
    }

    #[test]
    fn records_may_quote() {
        assert_eq!(
            recorded("a/b.py,sha256=x,12\n\"c,d.py\",,\n../../bin/tool,sha256=y,1\n"),
            ["a/b.py", "c,d.py", "../../bin/tool"]
        );
    }

    #[test]
    fn compiled_modules_lead_to_their_source() {
        assert_eq!(
            source_of("x/__pycache__/a.b.cpython-313.pyc").as_deref(),
            Some("x/a.b.py")
        );
        assert_eq!(source_of("x/a.pyc"), None);
    }
}
