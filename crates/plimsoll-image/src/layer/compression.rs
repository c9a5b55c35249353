//! Reading compressed layers and archives as a stream.

use std::io::{self, BufReader, Read};

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one or more members.
    Gzip,
    /// Zstandard, of one or more frames.
    Zstd,
    /// xz.
    Xz,
}

impl Compression {
    /// Told by the first bytes, which need not be more than six.
    pub fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            _ => Compression::None,
        }
    }

    /// The uncompressed bytes.
    ///
    /// # Errors
    /// When the stream is not what it should be.
    pub fn reader<'a>(self, compressed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let buffered = BufReader::with_capacity(64 << 10, compressed);
        Ok(match self {
            Compression::None => Box::new(buffered),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
            Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(buffered)),
            Compression::Zstd => Box::new(Zstd::Between(buffered)),
        })
    }
}

/// Zstandard of several frames: the decoder reads one.
enum Zstd<R: io::BufRead> {
    Between(R),
    Within(Box<ruzstd::decoding::StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

impl<R: io::BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Zstd::Ended) {
                Zstd::Ended => return Ok(0),
                Zstd::Between(mut source) => {
                    if source.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = ruzstd::decoding::StreamingDecoder::new(source)
                        .map_err(io::Error::other)?;
                    *self = Zstd::Within(Box::new(decoder));
                }
                Zstd::Within(mut decoder) => {
                    let count = decoder.read(buffer)?;
                    if count > 0 || buffer.is_empty() {
                        *self = Zstd::Within(decoder);
                        return Ok(count);
                    }
                    *self = Zstd::Between(decoder.into_inner());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Compression::detect(bytes)
            .reader(bytes)?
            .read_to_end(&mut plain)?;
        Ok(plain)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn several_members_read_as_one_stream() {
        let (a, b) = (vec![1_u8; 200_000], vec![2_u8; 100]);
        let whole = [a.clone(), b.clone()].concat();
        for compress in [gzip, zstd, xz] {
            let bytes = [compress(&a), compress(&b)].concat();
            assert_eq!(read(&bytes).unwrap(), whole);
        }
        assert_eq!(read(&whole).unwrap(), whole);
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        for compress in [gzip, zstd, xz] {
            let mut bytes = compress(
                &(0..99_999_u32)
                    .flat_map(u32::to_le_bytes)
                    .collect::<Vec<_>>(),
            );
            bytes.truncate(bytes.len() / 2);
            assert!(read(&bytes).is_err());
        }
    }
}
