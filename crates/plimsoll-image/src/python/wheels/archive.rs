//! A wheel's archive as the files that stand in the environment once it is installed.
//!
//! What comes out is what uv installs, byte for byte: the record in particular, sorted and without
//! notes of the installing machine. What uv would judge otherwise is refused, so that uv judges it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest as _;

use crate::layer::Content;
use crate::python::environment::{ENVIRONMENT, RESIDUE};
use crate::toolchain::zip;

/// The files of one installed wheel.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    /// `fastapi-0.121.0`, from its metadata's directory.
    pub name: String,
    /// Files by their path below the environment.
    pub files: BTreeMap<String, File>,
}

/// An installed file.
#[derive(Debug)]
pub(super) struct File {
    /// Whether it may be started.
    pub executable: bool,
    /// What it holds: here, or in a file if it is large and nothing but the layer needs it.
    pub content: Content,
}

impl File {
    fn held(executable: bool, bytes: Vec<u8>) -> Self {
        Self {
            executable,
            content: Content::Bytes(bytes),
        }
    }

    /// Its bytes, where they are held. Modules and what describes the distribution always are.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Part(..) | Content::File(_) | Content::Seen(..) => None,
        }
    }
}

/// An entry of a wheel's archive.
pub(super) trait Member {
    /// Its path as written.
    fn name(&self) -> &str;
    /// The permissions it states.
    fn permissions(&self) -> u32;
    /// The most that it may take of the memory.
    fn held(&self) -> u64;
    /// Its bytes.
    fn bytes(&self) -> Result<Vec<u8>, String>;
    /// Its bytes, wherever there is room for them.
    fn content(&self) -> Result<Content, String> {
        self.bytes().map(Content::Bytes)
    }
}

impl Member for zip::Entry<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn permissions(&self) -> u32 {
        self.permissions()
    }

    fn held(&self) -> u64 {
        self.size() as u64
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        self.content()
    }
}

/// Where an environment keeps things.
pub(super) struct Places<'p> {
    /// Packages, below the environment.
    pub packages: &'p str,
    /// `3.13`.
    pub minor: &'p str,
}

/// A line of a record: path, hash, size.
type Line = [String; 3];

/// What of a wheel's files is held in memory at once; one that unpacks to more is left to uv.
const LARGEST: u64 = 1 << 30;

/// Unpacks the entries of a wheel. The error is a short reason.
pub(super) fn unpack(entries: &[impl Member], places: &Places<'_>) -> Result<Unpacked, String> {
    let information = entries
        .iter()
        .find_map(|entry| entry.name().strip_suffix(".dist-info/RECORD"))
        .filter(|name| !name.contains('/'))
        .ok_or("it has no record")?
        .to_string();
    let mut unpacked = Unpacked {
        name: information.clone(),
        files: BTreeMap::new(),
    };
    let record_name = format!("{information}.dist-info/RECORD");
    let data = format!("{information}.data/");
    let mut moved: BTreeMap<&str, (String, Option<String>)> = BTreeMap::new();
    let mut record = String::new();
    let mut commands = String::new();
    let mut held: u64 = 0;
    for entry in entries {
        let name = entry.name();
        if name.ends_with('/') {
            continue;
        }
        if !is_plain(name) {
            return Err(format!("`{name}` is no path of a file"));
        }
        held = held.saturating_add(entry.held());
        if held > LARGEST {
            return Err("it unpacks to more than is kept in memory".to_string());
        }
        if name == record_name {
            record = String::from_utf8(entry.bytes()?).map_err(|_| "its record is no text")?;
            continue;
        }
        let own = name.strip_prefix(&information);
        let note = own.and_then(|own| own.strip_prefix(".dist-info/"));
        if note.is_some_and(|note| RESIDUE.contains(&note)) {
            continue;
        }
        let mut executable = entry.permissions() & 0o111 != 0;
        let (path, content) = match name.strip_prefix(&data) {
            None => {
                let content = match note.is_some() || name.ends_with(".py") {
                    true => Content::Bytes(entry.bytes()?),
                    false => entry.content()?,
                };
                if note == Some("entry_points.txt")
                    && let Content::Bytes(bytes) = &content
                {
                    commands = String::from_utf8_lossy(bytes).into_owned();
                }
                (format!("{}/{name}", places.packages), content)
            }
            Some(inside) => {
                let (kind, rest) = inside.split_once('/').ok_or("its data has no kind")?;
                let path = place_of_data(kind, rest, &information, places)?;
                let mut changed = None;
                let content = if kind == "scripts" {
                    executable = true;
                    let mut bytes = entry.bytes()?;
                    if let Some(after) = bytes.strip_prefix(b"#!python") {
                        bytes = with_interpreter(after)?;
                        changed = Some(hash_and_size(&bytes));
                    }
                    Content::Bytes(bytes)
                } else if rest.ends_with(".py") {
                    Content::Bytes(entry.bytes()?)
                } else {
                    entry.content()?
                };
                moved.insert(name, (from_packages(&path, places), changed));
                (path, content)
            }
        };
        let file = File {
            executable,
            content,
        };
        unpacked.insert(path, file)?;
    }
    let mut lines = read_record(&record, &moved, &information);
    for (name, text) in scripts(&commands)? {
        let path = format!("bin/{name}");
        lines.push(format!(
            "{},{}",
            quoted(&from_packages(&path, places)),
            hash_and_size(text.as_bytes())
        ));
        unpacked.insert(path, File::held(true, text.into_bytes()))?;
    }
    lines.sort_unstable();
    let file = File::held(false, (lines.join("\n") + "\n").into_bytes());
    unpacked.insert(format!("{}/{record_name}", places.packages), file)?;
    Ok(unpacked)
}

impl Unpacked {
    fn insert(&mut self, path: String, file: File) -> Result<(), String> {
        // Of two files at one path the installer decides.
        match self.files.insert(path, file) {
            None => Ok(()),
            Some(_) => Err("it holds one file twice".to_string()),
        }
    }
}

/// Whether a name in an archive leads nowhere else.
fn is_plain(name: &str) -> bool {
    !name.contains(['\n', '\r', '\\', '\0'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Where a file of a wheel's `.data` directory goes.
fn place_of_data(
    kind: &str,
    rest: &str,
    information: &str,
    places: &Places<'_>,
) -> Result<String, String> {
    Ok(match kind {
        "purelib" | "platlib" => format!("{}/{rest}", places.packages),
        "scripts" if !rest.contains('/') => format!("bin/{rest}"),
        "data" => rest.to_string(),
        "headers" => {
            let name = information.split('-').next().unwrap_or_default();
            format!("include/site/python{}/{name}/{rest}", places.minor)
        }
        other => return Err(format!("nothing is known of `{other}` in its data")),
    })
}

/// A script whose first line was `#!python` and `after`.
fn with_interpreter(after: &[u8]) -> Result<Vec<u8>, String> {
    let after = after.strip_prefix(b"w").unwrap_or(after);
    if !matches!(after.first(), Some(b'\n')) {
        return Err("a script starts its interpreter in its own way".to_string());
    }
    Ok([format!("#!{ENVIRONMENT}/bin/python").as_bytes(), after].concat())
}

/// Programs for the entry points that a wheel names.
fn scripts(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut section = "";
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').trim();
            continue;
        }
        if !matches!(section, "console_scripts" | "gui_scripts") {
            continue;
        }
        let (name, target) = line.split_once('=').ok_or("an entry point names nothing")?;
        // What a program needs besides does not say how it starts.
        let target = target.split('[').next().unwrap_or_default().trim();
        let (module, function) = target
            .split_once(':')
            .ok_or("an entry point names no function")?;
        let (module, function) = (module.trim(), function.trim());
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
        };
        let name = name.trim();
        let is_file = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if !is_file || !is_name(module) || !is_name(function) {
            return Err(format!("`{line}` is an unusual entry point"));
        }
        let import = function.split('.').next().unwrap_or_default();
        let text = format!(
            "#!{ENVIRONMENT}/bin/python\n# -*- coding: utf-8 -*-\nimport sys\n\
             from {module} import {import}\nif __name__ == \"__main__\":\n    \
             if sys.argv[0].endswith(\"-script.pyw\"):\n        \
             sys.argv[0] = sys.argv[0][:-11]\n    \
             elif sys.argv[0].endswith(\".exe\"):\n        \
             sys.argv[0] = sys.argv[0][:-4]\n    sys.exit({function}())\n"
        );
        found.insert(name.to_string(), text);
    }
    Ok(found.into_iter().collect())
}

/// A path below the environment as records write it: from the packages.
fn from_packages(path: &str, places: &Places<'_>) -> String {
    match path
        .strip_prefix(places.packages)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        Some(inside) => inside.to_string(),
        None => {
            let mut common = 0;
            let inside: Vec<&str> = places.packages.split('/').collect();
            let parts: Vec<&str> = path.split('/').collect();
            while common < inside.len().min(parts.len() - 1) && inside[common] == parts[common] {
                common += 1;
            }
            let up = "../".repeat(inside.len() - common);
            format!("{up}{}", parts[common..].join("/"))
        }
    }
}

/// The lines of a record after installation.
fn read_record(
    text: &str,
    moved: &BTreeMap<&str, (String, Option<String>)>,
    information: &str,
) -> Vec<String> {
    let residue: Vec<String> = RESIDUE
        .iter()
        .map(|file| format!("{information}.dist-info/{file}"))
        .collect();
    let mut lines = Vec::new();
    for line in text.lines() {
        let [path, hash, size] = fields(line);
        if path.is_empty() || residue.contains(&path) {
            continue;
        }
        let moved = moved.get(path.as_str());
        let shown = quoted(moved.map_or(path.as_str(), |(place, _)| place));
        lines.push(match moved.and_then(|(_, changed)| changed.as_ref()) {
            Some(changed) => format!("{shown},{changed}"),
            None => format!("{shown},{},{}", quoted(&hash), quoted(&size)),
        });
    }
    lines
}

/// The three fields of a line of CSV.
fn fields(line: &str) -> Line {
    let mut fields = Line::default();
    let (mut index, mut inside) = (0, false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if inside && characters.peek() == Some(&'"') => {
                characters.next();
                fields[index].push('"');
            }
            '"' => inside = !inside,
            ',' if !inside && index < 2 => index += 1,
            other => fields[index].push(other),
        }
    }
    fields
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}

/// The last two fields of a record's line.
fn hash_and_size(bytes: &[u8]) -> String {
    let mut text = String::from("sha256=");
    URL_SAFE_NO_PAD.encode_string(sha2::Sha256::digest(bytes), &mut text);
    let _ = write!(text, ",{}", bytes.len());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACES: Places<'static> = Places {
        packages: "lib/python3.13/site-packages",
        minor: "3.13",
    };

    fn unpacked(wheel: &[u8]) -> Result<Unpacked, String> {
        unpack(&zip::entries(wheel)?, &PLACES)
    }

    fn text(unpacked: &Unpacked, path: &str) -> String {
        let file = unpacked.files.get(path).expect(path);
        String::from_utf8(file.bytes().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn files_go_where_an_installer_puts_them() {
        let record = "a/__init__.py,sha256=x,1\na-1.data/scripts/run,sha256=y,2\n\
                      a-1.data/data/share/a.txt,sha256=z,3\n\"a/odd,name.py\",,\n\
                      a-1.dist-info/direct_url.json,,\na-1.dist-info/RECORD,,\n";
        let wheel = zip::tests::archive(&[
            ("a/", b"", 0o755),
            ("a/__init__.py", b"1", 0o644),
            ("a/odd,name.py", b"", 0o644),
            ("a/tool", b"\x7fELF", 0o755),
            ("a-1.data/scripts/run", b"#!python\nprint()\n", 0o644),
            ("a-1.data/data/share/a.txt", b"text", 0o644),
            ("a-1.data/purelib/b.py", b"", 0o644),
            ("a-1.data/headers/a.h", b"", 0o644),
            ("a-1.dist-info/direct_url.json", b"{}", 0o644),
            (
                "a-1.dist-info/entry_points.txt",
                b"[console_scripts]\na = a.main:App.run [extra]\n[other]\nx = y\n",
                0o644,
            ),
            ("a-1.dist-info/RECORD", record.as_bytes(), 0o644),
        ]);
        let unpacked = unpacked(&wheel).unwrap();
        assert_eq!(unpacked.name, "a-1");
        let paths: Vec<&str> = unpacked.files.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "bin/a",
                "bin/run",
                "include/site/python3.13/a/a.h",
                "lib/python3.13/site-packages/a-1.dist-info/RECORD",
                "lib/python3.13/site-packages/a-1.dist-info/entry_points.txt",
                "lib/python3.13/site-packages/a/__init__.py",
                "lib/python3.13/site-packages/a/odd,name.py",
                "lib/python3.13/site-packages/a/tool",
                "lib/python3.13/site-packages/b.py",
                "share/a.txt",
            ]
        );
        let started: Vec<&str> = unpacked
            .files
            .iter()
            .filter(|(_, file)| file.executable)
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(
            started,
            ["bin/a", "bin/run", "lib/python3.13/site-packages/a/tool"]
        );
        assert_eq!(
            text(&unpacked, "bin/run"),
            "#!/app/.venv/bin/python\nprint()\n"
        );
        let program = text(&unpacked, "bin/a");
        assert!(program.contains("from a.main import App\n"));
        assert!(program.ends_with("    sys.exit(App.run())\n"));
        insta::assert_snapshot!(
            text(&unpacked, "lib/python3.13/site-packages/a-1.dist-info/RECORD"),
            @r#"
        "a/odd,name.py",,
        ../../../bin/a,sha256=JYXpy8fyZR27rAxl1h1RTznckEvAPDvSg1pQp-_RgKQ,295
        ../../../bin/run,sha256=V9qSMxkGrEGSKnLqlfDqkHlhx8FRHUPipj-ls34gcBs,32
        ../../../share/a.txt,sha256=z,3
        a-1.dist-info/RECORD,,
        a/__init__.py,sha256=x,1
        "#
        );
    }

    #[test]
    fn what_only_an_installer_can_judge_is_refused() {
        let record = ("a-1.dist-info/RECORD", &b""[..], 0o644);
        for (file, reason) in [
            (("../a.py", &b""[..], 0o644), "no path"),
            (("/a.py", b"", 0o644), "no path"),
            (("a-1.data/odd/a", b"", 0o644), "nothing is known"),
            (("a-1.data/scripts/a/b", b"", 0o644), "nothing is known"),
            (
                ("a-1.data/scripts/a", b"#!python -O\n", 0o644),
                "its own way",
            ),
            (
                (
                    "a-1.dist-info/entry_points.txt",
                    b"[console_scripts]\n../a = b:c\n",
                    0o644,
                ),
                "unusual",
            ),
        ] {
            let wheel = zip::tests::archive(&[file, record]);
            let refused = unpacked(&wheel).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        let none = zip::tests::archive(&[("a.py", b"", 0o644)]);
        assert_eq!(unpacked(&none).unwrap_err(), "it has no record");
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_environment(name in "[a./\\\\]{1,12}") {
            let record = ("a-1.dist-info/RECORD", &b""[..], 0o644);
            let wheel = zip::tests::archive(&[(name.as_str(), &b""[..], 0o644), record]);
            if let Ok(unpacked) = unpacked(&wheel) {
                for path in unpacked.files.keys() {
                    prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
                }
            }
        }

        #[test]
        fn a_field_of_a_record_reads_back(path in "[a,\" ]{0,8}") {
            let line = format!("{},sha256=x,1", quoted(&path));
            prop_assert_eq!(fields(&line), [path, "sha256=x".to_string(), "1".to_string()]);
        }
    }
}
