//! Parts of layers compressed once, so that exporting an image again costs copying.
//!
//! Each part becomes gzip members of a fixed amount of content; the members of its parts, one
//! after the other, are the compressed layer. The bytes are a function of the part, of
//! this library's exact version (pinned) and of the level, not of the number of threads.

use std::io::{Read, Write};
use std::path::PathBuf;

use libdeflater::{CompressionLvl, Compressor};
use rayon::prelude::*;

use super::layer::Part;
use super::{Store, StoreError};
use crate::Digest;

/// How much content goes into one member.
const PIECE: usize = 1 << 20;

/// How many pieces are held in memory at once.
const BATCH: usize = 16;

/// The best that costs no more time than zlib's default.
const LEVEL: i32 = 6;

impl Store {
    /// The part as gzip, from an earlier time or made now.
    pub(super) fn compressed(&self, part: &Part) -> Result<PathBuf, StoreError> {
        let fail = |error| self.fail(error);
        let path = self.compressed_path(&part.digest);
        if path.is_file() {
            return Ok(path);
        }
        let mut source = self.open_blob(&part.digest)?.take(part.size);
        let mut draft = self.draft()?;
        let mut batch = Vec::new();
        let mut seen = 0;
        loop {
            batch.clear();
            (&mut source)
                .take((BATCH * PIECE) as u64)
                .read_to_end(&mut batch)
                .map_err(fail)?;
            if batch.is_empty() {
                break;
            }
            seen += batch.len() as u64;
            let members: Vec<Vec<u8>> = batch.par_chunks(PIECE).map(gzip).collect();
            for member in members {
                draft.write_all(&member).map_err(fail)?;
            }
        }
        if seen != part.size {
            return Err(self.corrupt(&part.digest));
        }
        draft.place(&path).map_err(fail)?;
        Ok(path)
    }

    pub(super) fn compressed_path(&self, segment: &Digest) -> PathBuf {
        self.root.join("compressed").join(segment.hex())
    }
}

/// One gzip member without name and time.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let level = CompressionLvl::new(LEVEL).expect("6 is between 1 and 12");
    let mut compressor = Compressor::new(level);
    let mut member = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor
        .gzip_compress(bytes, &mut member)
        .expect("the buffer has the size that the library asks for");
    member.truncate(length);
    member
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_names_neither_file_nor_time() {
        let member = gzip(b"hello");
        assert_eq!(&member[..3], [0x1f, 0x8b, 8]);
        assert_eq!(member[3], 0, "no optional field");
        assert_eq!(&member[4..8], [0; 4], "no time");
        assert_eq!(member[9], 255, "no operating system");
    }
}
