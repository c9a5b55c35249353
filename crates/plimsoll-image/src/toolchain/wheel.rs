//! Reading files out of a wheel, which is a ZIP archive.

use super::zip;

/// The content of the first entry whose name ends with `suffix`. The error is a short reason.
pub(super) fn file_of(archive: &[u8], suffix: &str) -> Result<Vec<u8>, String> {
    zip::entries(archive)?
        .iter()
        .find(|entry| entry.name.ends_with(suffix))
        .ok_or_else(|| format!("it has no `{suffix}`"))?
        .content()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_an_entry_by_the_end_of_its_name() {
        let bytes = zip::tests::archive(&[("uv-1.data/scripts/uv", b"program", 0o755)]);
        assert_eq!(file_of(&bytes, "/scripts/uv").unwrap(), b"program");
        assert_eq!(
            file_of(&bytes, "/scripts/uvx").unwrap_err(),
            "it has no `/scripts/uvx`"
        );
    }
}
