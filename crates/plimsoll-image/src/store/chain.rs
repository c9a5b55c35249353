//! Files read one after the other as one stream, of which one is open at a time: a layer may have
//! more parts than a process may have files.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use fs_err::File;

/// The stream.
pub(super) struct Chain {
    current: Option<File>,
    left: std::vec::IntoIter<PathBuf>,
    /// How many bytes are still to be passed over.
    skip: u64,
}

impl Chain {
    /// The bytes of these files from an offset on.
    pub(super) fn of(files: Vec<PathBuf>, skip: u64) -> Self {
        Self {
            current: None,
            left: files.into_iter(),
            skip,
        }
    }

    /// The next file that has bytes behind the offset.
    fn open_next(&mut self) -> io::Result<Option<File>> {
        for path in self.left.by_ref() {
            let mut file = File::open(path)?;
            if self.skip > 0 {
                let length = file.metadata()?.len();
                if self.skip >= length {
                    self.skip -= length;
                    continue;
                }
                file.seek(SeekFrom::Start(self.skip))?;
                self.skip = 0;
            }
            return Ok(Some(file));
        }
        Ok(None)
    }
}

impl Read for Chain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let file = match &mut self.current {
                Some(file) => file,
                None => match self.open_next()? {
                    Some(file) => self.current.insert(file),
                    None => return Ok(0),
                },
            };
            match file.read(buffer)? {
                0 => self.current = None,
                count => return Ok(count),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_gives_the_rest() {
        let root = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = ["abc", "", "d", "ef"]
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let path = root.path().join(index.to_string());
                fs_err::write(&path, text).unwrap();
                path
            })
            .collect();
        for skip in 0..=7 {
            let mut text = String::new();
            let mut chain = Chain::of(files.clone(), skip);
            chain.read_to_string(&mut text).unwrap();
            assert_eq!(text, "abcdef".get(skip as usize..).unwrap_or_default());
        }
    }
}
