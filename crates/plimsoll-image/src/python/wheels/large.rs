//! Wheels that are too large to be unpacked in memory: their archive stays in its file, and large
//! files of them go into files of their own. Only what is small or compiled is held.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::archive::{self, Member, Places, Unpacked};
use crate::layer::Content;
use crate::toolchain::zip::{self, FileEntry};

/// A file of a wheel that is not larger is held in memory.
const SMALL: u64 = 4 << 20;

/// The most that a wheel may unpack to.
const LARGEST: u64 = 16 << 30;

/// An entry, and where its bytes go if they are many.
struct Spooled<'a> {
    entry: FileEntry<'a>,
    place: PathBuf,
}

impl Member for Spooled<'_> {
    fn name(&self) -> &str {
        &self.entry.name
    }

    fn permissions(&self) -> u32 {
        self.entry.permissions()
    }

    fn held(&self) -> u64 {
        let name = self.name();
        let is_read = name.ends_with(".py")
            || [".dist-info/", "/scripts/"]
                .iter()
                .any(|part| name.contains(part));
        match is_read || self.entry.size() <= SMALL {
            true => self.entry.size(),
            false => 0,
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        self.entry.content()
    }

    fn content(&self) -> Result<Content, String> {
        if self.entry.size() <= SMALL {
            return self.bytes().map(Content::Bytes);
        }
        let mut file = fs::File::create(&self.place).map_err(|error| error.to_string())?;
        self.entry.copy_to(&mut file)?;
        Ok(Content::File(self.place.clone()))
    }
}

/// Unpacks the wheel at `archive`, with its large files in `directory`, which is made.
pub(super) fn unpack(
    archive: &Path,
    directory: &Path,
    places: &Places<'_>,
) -> Result<Unpacked, String> {
    let told = |error: std::io::Error| error.to_string();
    fs::create_dir(directory).map_err(told)?;
    let file = fs::File::open(archive).map_err(told)?;
    let entries = zip::entries_of_file(&file)?.into_iter().enumerate();
    let members: Vec<Spooled<'_>> = entries
        .map(|(number, entry)| Spooled {
            entry,
            place: directory.join(number.to_string()),
        })
        .collect();
    let size = members
        .iter()
        .map(|member| member.entry.size())
        .sum::<u64>();
    if size > LARGEST {
        return Err("it unpacks to more than is laid out".to_string());
    }
    archive::unpack(&members, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::zip::tests;

    #[test]
    fn a_wheel_in_its_file_holds_what_it_holds_in_memory() {
        let long = vec![7; SMALL as usize + 1];
        let wheel = tests::archive(&[
            ("a/__init__.py", b"1", 0o644),
            ("a/generated.py", &long, 0o644),
            ("a/lib.so", &long, 0o755),
            ("a-1.data/data/share/a.bin", &long, 0o644),
            ("a-1.dist-info/METADATA", b"Name: a", 0o644),
            ("a-1.dist-info/RECORD", b"a/__init__.py,,\n", 0o644),
        ]);
        let places = Places {
            packages: "lib/python3.13/site-packages",
            minor: "3.13",
        };
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("a.whl");
        fs::write(&archive, &wheel).unwrap();
        let here = archive::unpack(&zip::entries(&wheel).unwrap(), &places).unwrap();
        let there = unpack(&archive, &directory.path().join("large"), &places).unwrap();
        assert!(here.files.keys().eq(there.files.keys()));
        let mut in_files = Vec::new();
        for ((path, here), there) in here.files.iter().zip(there.files.values()) {
            assert_eq!(here.executable, there.executable);
            let bytes = match &there.content {
                Content::File(place) => {
                    in_files.push(path.as_str());
                    fs::read(place).unwrap()
                }
                _ => there.bytes().unwrap().to_vec(),
            };
            assert!(here.bytes().unwrap() == bytes, "{path}");
        }
        assert_eq!(
            in_files,
            ["lib/python3.13/site-packages/a/lib.so", "share/a.bin"]
        );
    }
}
