//! Data: from bytes to the numbers that the net trains on.
//!
//! ```text
//! IDX bytes ─→ idx ─→ dataset ─→ batcher ─→ augment ─→ the trainer
//!              catalog ↗   ↖ synthetic
//! ```
//!
//! Nothing here knows of Burn, files or the network: bytes come in, numbers go out. Every random
//! choice derives from a seed and a position, so that nothing has to be stored to repeat it.
//! Random floats use only operations that IEEE 754 rounds in one way (no sine, no exponential),
//! so a seed gives the same bytes natively and in WebAssembly.

pub mod augment;
pub mod batcher;
pub mod catalog;
pub mod dataset;
pub mod idx;
mod skeletons;
pub mod synthetic;

pub use batcher::{Batcher, split_validation};
pub use catalog::{CATALOG, CatalogEntry};
pub use dataset::{Dataset, Split, SplitName, Statistics, normalise};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Side of an image, in pixels.
pub const IMAGE_SIDE: usize = 28;
/// Pixels of an image.
pub const IMAGE_PIXELS: usize = IMAGE_SIDE * IMAGE_SIDE;
/// Classes of every dataset here.
pub const CLASSES: usize = 10;

/// What a random stream is for: the same seed gives each purpose a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Batches = 1,
    Validation = 2,
    Augmentation = 3,
    Synthesis = 4,
}

/// A generator of its own for (purpose, seed, major, minor), for example (batches, seed, epoch, 0).
fn generator(purpose: Purpose, seed: u64, major: u64, minor: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, value) in key.chunks_exact_mut(8).zip([purpose as u64, seed, major, minor]) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn every_part_of_the_key_changes_the_stream() {
        let draw = |purpose, seed, major, minor| generator(purpose, seed, major, minor).random::<u64>();
        let first = draw(Purpose::Batches, 7, 1, 2);
        assert_eq!(first, draw(Purpose::Batches, 7, 1, 2));
        assert_ne!(first, draw(Purpose::Validation, 7, 1, 2));
        assert_ne!(first, draw(Purpose::Batches, 8, 1, 2));
        assert_ne!(first, draw(Purpose::Batches, 7, 2, 2));
        assert_ne!(first, draw(Purpose::Batches, 7, 1, 3));
    }
}
