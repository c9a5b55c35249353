//! Segments compressed once, so that exporting an image again costs copying.
//!
//! Each segment becomes one gzip member; members one after the other are the compressed layer.
//! The bytes are a function of the segment, this library's exact version (pinned), and the level.

use std::io::Read;
use std::path::PathBuf;

use libdeflater::{CompressionLvl, Compressor};

use super::{Segment, Store, StoreError};
use crate::Digest;

/// What the member of a segment larger than this is cut into: memory stays bounded, and the cuts
/// depend on nothing but the segment.
const PIECE: usize = 8 << 20;

/// The best that costs no more time than zlib's default.
const LEVEL: i32 = 6;

impl Store {
    /// The segment as gzip, from an earlier time or made now.
    pub(crate) fn gzip_member(&self, segment: &Segment) -> Result<PathBuf, StoreError> {
        let path = self.member_path(&segment.digest);
        if path.is_file() {
            return Ok(path);
        }
        let mut source = self.open_blob(&segment.digest)?;
        let mut draft = self.draft()?;
        let mut piece = vec![0; PIECE.min(usize::try_from(segment.size).unwrap_or(PIECE))];
        let mut remaining = segment.size;
        while remaining > 0 {
            let length = piece
                .len()
                .min(usize::try_from(remaining).unwrap_or(usize::MAX));
            source
                .read_exact(&mut piece[..length])
                .map_err(|error| self.fail(error))?;
            std::io::Write::write_all(&mut draft, &gzip(&piece[..length]))
                .map_err(|error| self.fail(error))?;
            remaining -= length as u64;
        }
        draft.place(&path).map_err(|error| self.fail(error))?;
        Ok(path)
    }

    pub(super) fn member_path(&self, segment: &Digest) -> PathBuf {
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
