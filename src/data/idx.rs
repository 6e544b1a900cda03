//! The IDX format of the MNIST files.
//!
//! Four magic bytes `00 00 TT DD` (`TT`: the type, `08` is unsigned byte; `DD`: the rank), then
//! `DD` sizes as big-endian `u32`, then the values. The header is never believed: its sizes are
//! compared with the bytes that are there before anything is allocated.
//!
//! # Source
//! Y. `LeCun`, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section
//! "File formats for the MNIST database".

use crate::error::{Error, Result};

/// Bytes of the magic number.
const MAGIC_BYTES: usize = 4;
/// Magic number of a file of unsigned bytes, without its rank.
const UNSIGNED_BYTE: u32 = 0x0000_0800;

/// The images of an IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Rows of an image.
    pub rows: usize,
    /// Columns of an image.
    pub cols: usize,
    /// `[count, rows, cols]`, 0 is background, 255 is full ink.
    pub pixels: Vec<u8>,
}

/// Reads a file of images, unpacked.
///
/// # Errors
/// [`Error::IdxMagic`], [`Error::IdxRank`], [`Error::IdxTruncated`] or [`Error::IdxOversized`].
pub fn parse_images(bytes: &[u8]) -> Result<Images> {
    let ([count, rows, cols], values) = parse::<3>(bytes, "images")?;
    Ok(Images { count, rows, cols, pixels: values.to_vec() })
}

/// Reads a file of labels, unpacked.
///
/// # Errors
/// [`Error::IdxMagic`], [`Error::IdxRank`], [`Error::IdxTruncated`] or [`Error::IdxOversized`].
pub fn parse_labels(bytes: &[u8]) -> Result<Vec<u8>> {
    let ([_count], values) = parse::<1>(bytes, "labels")?;
    Ok(values.to_vec())
}

/// The sizes and the values of an IDX file of unsigned bytes with `RANK` dimensions.
fn parse<'a, const RANK: usize>(bytes: &'a [u8], expected_what: &'static str) -> Result<([usize; RANK], &'a [u8])> {
    let truncated = |expected_bytes| Error::IdxTruncated { expected_bytes, got_bytes: bytes.len() };
    let rank = u8::try_from(RANK).unwrap_or(u8::MAX);
    let magic = big_endian(bytes, 0).ok_or_else(|| truncated(MAGIC_BYTES))?;
    if magic & 0xffff_ff00 != UNSIGNED_BYTE {
        return Err(Error::IdxMagic { expected: UNSIGNED_BYTE | u32::from(rank), got: magic });
    }
    let [.., got_rank] = magic.to_be_bytes();
    if got_rank != rank {
        return Err(Error::IdxRank { expected: rank, got: got_rank, expected_what });
    }

    let header_bytes = MAGIC_BYTES * (1 + RANK);
    let mut sizes = [0; RANK];
    for (i, size) in sizes.iter_mut().enumerate() {
        let value = big_endian(bytes, MAGIC_BYTES * (1 + i)).ok_or_else(|| truncated(header_bytes))?;
        *size = usize::try_from(value).unwrap_or(usize::MAX);
    }
    // Saturating: three sizes of 2³² − 1 have no product in a `usize`, and no file is so long.
    // An empty file must not saturate on its way to zero.
    let value_count = if sizes.contains(&0) { 0 } else { sizes.iter().copied().fold(1, usize::saturating_mul) };
    let expected_bytes = header_bytes.saturating_add(value_count);
    if bytes.len() < expected_bytes {
        return Err(truncated(expected_bytes));
    }
    if bytes.len() > expected_bytes {
        return Err(Error::IdxOversized { expected_bytes, got_bytes: bytes.len() });
    }
    Ok((sizes, &bytes[header_bytes..]))
}

/// The big-endian `u32` at `offset`, if the file is that long.
fn big_endian(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..offset + 4)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(magic: u32, sizes: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = magic.to_be_bytes().to_vec();
        for size in sizes {
            bytes.extend(size.to_be_bytes());
        }
        bytes.extend(values);
        bytes
    }

    #[test]
    fn reads_images() {
        let images = parse_images(&file(0x803, &[2, 1, 3], &[1, 2, 3, 4, 5, 6])).unwrap();
        assert_eq!((images.count, images.rows, images.cols), (2, 1, 3));
        assert_eq!(images.pixels, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn reads_labels() {
        let labels = parse_labels(&file(0x801, &[3], &[7, 0, 9])).unwrap();
        assert_eq!(labels, [7, 0, 9]);
        assert_eq!(parse_labels(&file(0x801, &[0], &[])).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn truncated_files_say_how_long_they_should_be() {
        let whole = file(0x803, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        for got_bytes in 0..whole.len() {
            let expected_bytes = match got_bytes {
                0..4 => 4,
                4..16 => 16,
                _ => 22,
            };
            assert_eq!(parse_images(&whole[..got_bytes]), Err(Error::IdxTruncated { expected_bytes, got_bytes }));
        }
    }

    #[test]
    fn a_trailing_byte_is_an_error() {
        assert_eq!(
            parse_labels(&file(0x801, &[1], &[7, 8])),
            Err(Error::IdxOversized { expected_bytes: 9, got_bytes: 10 })
        );
        assert_eq!(
            parse_images(&file(0x803, &[0, u32::MAX, u32::MAX], &[1])),
            Err(Error::IdxOversized { expected_bytes: 16, got_bytes: 17 })
        );
    }

    #[test]
    fn wrong_magic_or_type() {
        // A gzipped file, and a file of 32-bit floats.
        for got in [0x1f8b_0800, 0x0000_0d03] {
            assert_eq!(parse_images(&file(got, &[1, 1, 1], &[0])), Err(Error::IdxMagic { expected: 0x803, got }));
        }
    }

    #[test]
    fn labels_given_as_images_are_named() {
        let labels = file(0x801, &[1], &[0]);
        assert_eq!(parse_images(&labels), Err(Error::IdxRank { expected: 3, got: 1, expected_what: "images" }));
        let images = file(0x803, &[1, 1, 1], &[0]);
        assert_eq!(parse_labels(&images), Err(Error::IdxRank { expected: 1, got: 3, expected_what: "labels" }));
    }

    #[test]
    fn sizes_whose_product_overflows_are_truncation() {
        assert_eq!(
            parse_images(&file(0x803, &[u32::MAX; 3], &[0; 5])),
            Err(Error::IdxTruncated { expected_bytes: usize::MAX, got_bytes: 21 })
        );
    }
}
