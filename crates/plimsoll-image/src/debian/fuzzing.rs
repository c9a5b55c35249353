//! Readers of Debian's forms, for the fuzz targets.

use super::deb::Deb;
use super::packages::{PackageIndex, compact};
use super::release::Release;
use super::{deb822, relation, version};

/// Opens a package.
pub fn deb(bytes: &[u8]) {
    let _ = Deb::open(bytes);
}

/// Reads a text as everything that Debian writes.
pub fn debian_text(text: &str) {
    let _ = Release::parse(text);
    let mut values = Vec::new();
    for paragraph in deb822::paragraphs(text) {
        values.extend(paragraph.fields().map(|(_, value)| value));
    }
    for value in &values {
        for relation in relation::dependencies(value).flatten() {
            let _ = relation.admits("1:2.0-1");
            let _ = relation.admits_provided(Some("2.0"));
        }
        relation::provided(value).count();
    }
    for pair in values.windows(2) {
        assert_eq!(
            version::compare(pair[0], pair[1]),
            version::compare(pair[1], pair[0]).reverse()
        );
        assert!(version::compare(pair[0], pair[0]).is_eq());
    }
    let list = compact(text.as_bytes()).expect("it was text before");
    let index = PackageIndex::read(&[&list]).expect("a list that was just made");
    for line in list.lines() {
        let name = line.split('\t').next().unwrap_or_default();
        let _ = index.get(name);
        let _ = index.providers(name);
    }
}
