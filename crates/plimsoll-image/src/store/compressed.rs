//! Parts of layers compressed once, so that exporting an image again costs copying.
//!
//! Each part becomes gzip members or Zstandard frames of a fixed amount of content; those of its
//! parts, one after the other, are the compressed layer. The bytes are a function of the part, of
//! the compressing library's exact version (pinned) and of the level, not of the number of threads.

use std::io::{Read, Write};
use std::path::PathBuf;

use libdeflater::{CompressionLvl, Compressor};
use rayon::prelude::*;

use super::layer::Part;
use super::{LayerForm, Segment, Store, StoreError};
use crate::Digest;
use crate::digest::Hasher;

/// How much content goes into one member.
const PIECE: usize = 1 << 20;

/// How many pieces are held in memory at once.
const BATCH: usize = 16;

/// The best that costs no more time than zlib's default.
const GZIP_LEVEL: i32 = 6;

/// Already smaller than gzip, in a third of its time; what is gained above costs many times that.
const ZSTD_LEVEL: i32 = 3;

/// How parts are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Codec {
    Gzip,
    Zstd,
}

impl Codec {
    pub(super) const ALL: [Codec; 2] = [Codec::Gzip, Codec::Zstd];

    /// The store's directory for what it compressed.
    pub(super) fn directory(self) -> &'static str {
        match self {
            Codec::Gzip => "compressed",
            Codec::Zstd => "compressed-zstd",
        }
    }

    /// What names it in memos. Another version of its library may write other bytes, and so is
    /// another name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd 1",
        }
    }

    fn compress(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Codec::Gzip => gzip(bytes),
            Codec::Zstd => zstd(bytes),
        }
    }
}

impl Store {
    /// Says in which form images made from now on are given away, so that their segments can be
    /// compressed while others are still made. The first word counts.
    pub fn will_give(&self, form: LayerForm) {
        if let Some(codec) = form.codec() {
            let _ = self.given_as.set(codec);
        }
    }

    /// Compresses a segment that was just made for an image, if it will be given away so. The
    /// bytes are those that the export would make later.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn compress_early(&self, segment: &Segment) -> Result<(), StoreError> {
        if let Some(codec) = self.given_as.get() {
            let part = Part {
                digest: segment.digest,
                size: segment.size,
            };
            self.compressed(&part, *codec)?;
        }
        Ok(())
    }

    /// The part compressed, from an earlier time or made now.
    pub(super) fn compressed(&self, part: &Part, codec: Codec) -> Result<PathBuf, StoreError> {
        let fail = |error| self.fail(error);
        let path = self.compressed_path(&part.digest, codec);
        if path.is_file() {
            return Ok(path);
        }
        let mut source = self.open_blob(&part.digest)?.take(part.size);
        let mut draft = self.draft()?;
        let mut batch = Vec::new();
        let mut hasher = Hasher::default();
        loop {
            batch.clear();
            (&mut source)
                .take((BATCH * PIECE) as u64)
                .read_to_end(&mut batch)
                .map_err(fail)?;
            if batch.is_empty() {
                break;
            }
            hasher.update(&batch);
            let members: Vec<Vec<u8>> = batch
                .par_chunks(PIECE)
                .map(|piece| codec.compress(piece))
                .collect();
            for member in members {
                draft.write_all(&member).map_err(fail)?;
            }
        }
        // What is given away under this name has to be what it names.
        if hasher.finish() != part.digest {
            return Err(self.corrupt(&part.digest));
        }
        draft.place(&path).map_err(fail)?;
        Ok(path)
    }

    pub(super) fn compressed_path(&self, segment: &Digest, codec: Codec) -> PathBuf {
        self.root.join(codec.directory()).join(segment.hex())
    }
}

/// One gzip member without name and time.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let level = CompressionLvl::new(GZIP_LEVEL).expect("6 is between 1 and 12");
    let mut compressor = Compressor::new(level);
    let mut member = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor
        .gzip_compress(bytes, &mut member)
        .expect("the buffer has the size that the library asks for");
    member.truncate(length);
    member
}

/// One Zstandard frame that states its content's length.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, ZSTD_LEVEL).expect("memory is enough and the level exists")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::layer::Compression;

    #[test]
    fn frames_of_both_codecs_read_back_as_one_stream() {
        let pieces: [&[u8]; 3] = [b"directories", &[7; 100_000], b"end"];
        for codec in Codec::ALL {
            let frames: Vec<u8> = pieces.iter().flat_map(|p| codec.compress(p)).collect();
            let mut plain = Vec::new();
            Compression::detect(&frames)
                .reader(frames.as_slice())
                .unwrap()
                .read_to_end(&mut plain)
                .unwrap();
            assert_eq!(plain, pieces.concat(), "{codec:?}");
            assert!(frames.len() < 1000);
        }
    }

    #[test]
    fn a_member_names_neither_file_nor_time() {
        let member = gzip(b"hello");
        assert_eq!(&member[..3], [0x1f, 0x8b, 8]);
        assert_eq!(member[3], 0, "no optional field");
        assert_eq!(&member[4..8], [0; 4], "no time");
        assert_eq!(member[9], 255, "no operating system");
    }
}
