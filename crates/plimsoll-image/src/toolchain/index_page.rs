//! One project's page of a Python package index, in either of its two forms (JSON and HTML).

use std::collections::BTreeMap;

use html5gum::{Token, Tokenizer};
use serde::Deserialize;

/// What to ask for: the JSON form, or the HTML form of an index that has no other.
pub(crate) const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// The address of `file` as the page at `page_url` gives it.
pub(super) fn address_of(page: &[u8], page_url: &str, file: &str) -> Option<String> {
    let files = files_of(page, page_url)?;
    let found = files.into_iter().find(|entry| entry.name == file);
    Some(found?.url)
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

/// All files that a page lists; `None` for what is no page.
pub(crate) fn files_of(page: &[u8], page_url: &str) -> Option<Vec<Listed>> {
    let text = std::str::from_utf8(page).ok()?;
    if !text.trim_start().starts_with('{') {
        return from_html(text, page_url);
    }
    let page: Page = serde_json::from_str(text).ok()?;
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

/// Every link of a page is a file: its text is the name, its fragment the hash.
fn from_html(text: &str, page_url: &str) -> Option<Vec<Listed>> {
    let mut base = page_url.to_string();
    let mut files = Vec::new();
    let mut link: Option<(String, String)> = None;
    let mut has_tags = false;
    for Ok(token) in Tokenizer::new(text) {
        match token {
            Token::StartTag(tag) => {
                has_tags = true;
                let href = tag.attributes.get(b"href".as_slice());
                let href = href.map(|href| String::from_utf8_lossy(href).trim().to_string());
                match (tag.name.as_slice(), href) {
                    (b"base", Some(href)) => base = resolve(page_url, &href),
                    (b"a", Some(href)) => link = Some((href, String::new())),
                    _ => {}
                }
            }
            Token::String(text) => {
                if let Some((_, label)) = &mut link {
                    label.push_str(&String::from_utf8_lossy(&text));
                }
            }
            Token::EndTag(tag) if tag.name.as_slice() == b"a" => {
                if let Some((href, label)) = link.take() {
                    let (address, fragment) = href.split_once('#').unwrap_or((&href, ""));
                    let sha256 = fragment
                        .split('&')
                        .find_map(|part| part.strip_prefix("sha256="));
                    files.push(Listed {
                        name: label.trim().to_string(),
                        url: resolve(&base, address),
                        sha256: sha256.map(str::to_string),
                        size: None,
                    });
                }
            }
            _ => {}
        }
    }
    has_tags.then_some(files)
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
    use proptest::prelude::*;

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
        assert_eq!(files_of(b"{\"no\": \"page\"}", URL), None);
        assert_eq!(files_of(b"no page", URL), None);
    }

    #[test]
    fn a_page_of_html_is_read_as_browsers_read_it() {
        let page = "<!DOCTYPE html><html><head><base href='https://files.example/pool/'></head><body>
            <!-- <a href=\"hidden.whl\">hidden.whl</a> -->
            <A data-requires-python=\"&gt;=3.8, a > b\" HREF = a-1.whl#sha256=00&amp;egg=a\n>\n a-1.whl </A>
            <a class='x'>no link</a>
            <a href=\"/b%2B1.whl?x=1&amp;y=2\">b+1.<b>whl</b></a></body>";
        let file = |name: &str, url: &str, sha256: Option<&str>| Listed {
            name: name.to_string(),
            url: url.to_string(),
            sha256: sha256.map(str::to_string),
            size: None,
        };
        assert_eq!(
            files_of(page.as_bytes(), URL).unwrap(),
            [
                file("a-1.whl", "https://files.example/pool/a-1.whl", Some("00")),
                file("b+1.whl", "https://files.example/b%2B1.whl?x=1&y=2", None),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_page_or_none(page in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = files_of(&page, URL);
            let _ = files_of(format!("<a href='{}'>", String::from_utf8_lossy(&page)).as_bytes(), URL);
        }
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
