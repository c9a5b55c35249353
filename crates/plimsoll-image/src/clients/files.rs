//! The configuration files of package clients: `pip.conf`, `.npmrc` (INI) and `uv.toml`.

use std::path::Path;

use fs_err as fs;

/// The value of `key` in an INI text: in `section`, or before any section when it is `None`.
/// A value may go on in indented lines, which are joined with a space.
pub(super) fn ini_value(text: &str, section: Option<&str>, key: &str) -> Option<String> {
    let mut current: Option<String> = None;
    let mut found: Option<String> = None;
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with(';') {
            continue;
        }
        if inside && line.starts_with([' ', '\t']) {
            if let Some(value) = &mut found {
                value.push(' ');
                value.push_str(trimmed);
            }
            continue;
        }
        inside = false;
        if let Some(name) = trimmed.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            current = Some(name.trim().to_string());
            continue;
        }
        if current.as_deref() != section {
            continue;
        }
        if let Some((name, value)) = trimmed.split_once('=')
            && name.trim() == key
        {
            let value = value.trim().trim_matches('"');
            found = Some(value.to_string());
            inside = true;
        }
    }
    found
        .map(|value| value.trim().to_string())
        .filter(|value| !value.is_empty())
}

/// The default index that a `uv.toml` names.
pub(super) fn uv_default_index(text: &str) -> Option<String> {
    let document: toml::Table = text.parse().ok()?;
    let indexes = document.get("index").and_then(toml::Value::as_array);
    let default = indexes.into_iter().flatten().find(|index| {
        index
            .get("default")
            .and_then(toml::Value::as_bool)
            .unwrap_or(false)
    });
    let pip = document.get("pip").and_then(|pip| pip.get("index-url"));
    default
        .and_then(|index| index.get("url"))
        .or_else(|| document.get("index-url"))
        .or(pip)
        .and_then(toml::Value::as_str)
        .map(str::to_string)
}

/// Puts variables into `${NAME}`, as npm does; an unset one stays as written.
pub(super) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = after.find('}') else {
            out.push_str(after);
            return out;
        };
        match lookup(&after[2..end]) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&after[..=end]),
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    out
}

/// A file's text. The error is a short reason.
pub(super) fn read(path: &Path) -> Result<String, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err("no such file".to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ini_value_belongs_to_its_section_and_may_span_lines() {
        let text = "[global]\nindex-url = https://a.example/simple\nextra-index-url =\n    \
                    https://b.example\n    https://c.example\n[install]\nindex-url=https://d.example\n";
        assert_eq!(
            ini_value(text, Some("global"), "index-url").as_deref(),
            Some("https://a.example/simple")
        );
        assert_eq!(
            ini_value(text, Some("global"), "extra-index-url").as_deref(),
            Some("https://b.example https://c.example")
        );
        assert_eq!(
            ini_value(text, Some("install"), "index-url").as_deref(),
            Some("https://d.example")
        );
        assert_eq!(ini_value(text, None, "index-url"), None);
    }

    #[test]
    fn an_npmrc_has_no_sections() {
        let text = "; mine\nfund=false\nregistry = \"https://npm.example/\"\n";
        assert_eq!(
            ini_value(text, None, "registry").as_deref(),
            Some("https://npm.example/")
        );
    }

    #[test]
    fn uv_names_its_default_index_in_two_ways() {
        let new = "[[index]]\nname = 'x'\nurl = 'https://x.example'\n[[index]]\nurl = \
                   'https://y.example'\ndefault = true\n";
        assert_eq!(uv_default_index(new).as_deref(), Some("https://y.example"));
        let old = "index-url = 'https://z.example'";
        assert_eq!(uv_default_index(old).as_deref(), Some("https://z.example"));
        assert_eq!(uv_default_index("[pip]\nstrict = true"), None);
        assert_eq!(uv_default_index("not toml"), None);
    }

    #[test]
    fn variables_are_put_in_where_they_are_set() {
        let lookup = |name: &str| (name == "HOST").then(|| "npm.example".to_string());
        assert_eq!(expand("https://${HOST}/a", lookup), "https://npm.example/a");
        assert_eq!(expand("${OTHER}-${HOST", lookup), "${OTHER}-${HOST");
    }
}
