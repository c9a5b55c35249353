//! One project's page of a Python package index, in either of its two forms (JSON and HTML).

use std::collections::BTreeMap;

use serde::Deserialize;

/// What to ask for: the JSON form, or the HTML form of an index that has no other.
pub(crate) const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// The address of `file` as the page at `page_url` gives it.
pub(super) fn address_of(page: &[u8], page_url: &str, file: &str) -> Option<String> {
    let text = std::str::from_utf8(page).ok()?;
    let href = if text.trim_start().starts_with('{') {
        from_json(text, file)?
    } else {
        from_html(text, file)?
    };
    let href = href.split('#').next().unwrap_or_default();
    Some(resolve(page_url, href))
}

/// A file as a page lists it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Its SHA-256, where the page states it.
    pub sha256: Option<String>,
    /// Its length, where the page states it.
    pub size: Option<u64>,
}

/// All files that a page in JSON lists; `None` for a page in another form.
pub(crate) fn files_of(page: &[u8], page_url: &str) -> Option<Vec<Listed>> {
    let page: Page = serde_json::from_slice(page).ok()?;
    let files = page.files.into_iter().map(|mut file| Listed {
        name: file.filename,
        url: resolve(page_url, file.url.split('#').next().unwrap_or_default()),
        sha256: file.hashes.remove("sha256"),
        size: file.size,
    });
    Some(files.collect())
}

#[derive(Deserialize)]
struct Page {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    size: Option<u64>,
}

fn from_json(text: &str, file: &str) -> Option<String> {
    let page: Page = serde_json::from_str(text).ok()?;
    let found = page.files.into_iter().find(|entry| entry.filename == file);
    Some(found?.url)
}

fn from_html(text: &str, file: &str) -> Option<String> {
    for anchor in text.split("<a ").skip(1) {
        let Some((attributes, rest)) = anchor.split_once('>') else {
            continue;
        };
        let label = rest.split('<').next().unwrap_or_default().trim();
        let Some((_, after)) = attributes.split_once("href=") else {
            continue;
        };
        let Some(mark) = after.chars().next().filter(|c| "'\"".contains(*c)) else {
            continue;
        };
        let href = after[1..].split(mark).next().unwrap_or_default();
        if label == file {
            return Some(href.replace("&amp;", "&"));
        }
    }
    None
}

/// A reference relative to the page it stands on.
fn resolve(base: &str, reference: &str) -> String {
    if reference.contains("://") {
        return reference.to_string();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    if let Some(path) = reference.strip_prefix("//") {
        return format!("{scheme}://{path}");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(absolute) = reference.strip_prefix('/') {
        return format!("{scheme}://{host}/{absolute}");
    }
    let mut segments: Vec<&str> = path.split('/').collect();
    segments.pop();
    for segment in reference.split('/') {
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    format!("{scheme}://{host}/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://index.example/simple/uv/";

    #[test]
    fn both_forms_of_a_page_give_the_same_address() {
        let json = r#"{"meta":{"api-version":"1.0"},"name":"uv","files":[
            {"filename":"uv-1-py3-none-any.whl","url":"https://files.example/a/uv-1-py3-none-any.whl","hashes":{}}]}"#;
        let html = "<html><body><a href=\"https://files.example/a/uv-1-py3-none-any.whl#sha256=00\" \
                    data-requires-python=\"&gt;=3.8\">uv-1-py3-none-any.whl</a><br/></body></html>";
        for page in [json, html] {
            assert_eq!(
                address_of(page.as_bytes(), URL, "uv-1-py3-none-any.whl").as_deref(),
                Some("https://files.example/a/uv-1-py3-none-any.whl")
            );
            assert_eq!(address_of(page.as_bytes(), URL, "uv-2.whl"), None);
        }
    }

    #[test]
    fn a_page_lists_files_with_their_hashes() {
        let page = r#"{"files":[{"filename":"a-1.whl","url":"../f/a-1.whl","hashes":{"sha256":"00"}},
            {"filename":"b.tar.gz","url":"https://files.example/b","hashes":{}}]}"#;
        let files = files_of(page.as_bytes(), URL).unwrap();
        assert_eq!(files[0].url, "https://index.example/simple/f/a-1.whl");
        assert_eq!(files[0].sha256.as_deref(), Some("00"));
        assert_eq!(files[1].sha256, None);
        assert_eq!(files_of(b"<html>", URL), None);
    }

    #[test]
    fn relative_references_follow_the_page() {
        assert_eq!(
            resolve(URL, "../../f/x.whl"),
            "https://index.example/f/x.whl"
        );
        assert_eq!(
            resolve(URL, "x.whl"),
            "https://index.example/simple/uv/x.whl"
        );
        assert_eq!(resolve(URL, "/f/x.whl"), "https://index.example/f/x.whl");
        assert_eq!(resolve(URL, "//o.example/x"), "https://o.example/x");
    }
}
