//! Which samples make which batch.
//!
//! The order of an epoch is a permutation drawn from (seed, epoch) alone, so a run that is resumed
//! in the middle of an epoch goes on with the batches that it would have had.

use super::{Purpose, generator};
use crate::error::{Error, Result};
use rand::seq::SliceRandom;

/// Cuts a shuffled epoch into batches.
#[derive(Debug, Clone)]
pub struct Batcher {
    count: u32,
    batch_size: usize,
    seed: u64,
    drop_last: bool,
    /// The epoch whose order is in `order`.
    cached_epoch: Option<usize>,
    order: Vec<u32>,
}

impl Batcher {
    /// Batches of `batch_size` out of `count` samples; `drop_last` leaves out a last smaller batch.
    ///
    /// # Errors
    /// [`Error::Empty`] without samples; [`Error::ConfigInvalid`] for a batch size of 0, or one
    /// that leaves an epoch without a single batch.
    pub fn new(count: usize, batch_size: usize, seed: u64, drop_last: bool) -> Result<Self> {
        let invalid = |field, reason| Err(Error::ConfigInvalid { field, reason });
        if count == 0 {
            return Err(Error::Empty { what: "training split" });
        }
        let Ok(count_u32) = u32::try_from(count) else {
            return invalid("samples", format!("{count} are more than {}", u32::MAX));
        };
        if batch_size == 0 {
            return invalid("batchSize", "it is 0; it must be at least 1".to_owned());
        }
        if drop_last && batch_size > count {
            let reason =
                format!("{batch_size} is more than the {count} samples, and the last smaller batch is dropped");
            return invalid("batchSize", reason);
        }
        Ok(Self { count: count_u32, batch_size, seed, drop_last, cached_epoch: None, order: Vec::new() })
    }

    /// Batches of an epoch.
    #[must_use]
    pub fn steps_per_epoch(&self) -> usize {
        let count = self.count as usize;
        if self.drop_last { count / self.batch_size } else { count.div_ceil(self.batch_size) }
    }

    /// Positions of the samples of batch `step` (from 0) of `epoch`; empty past the epoch's end.
    #[must_use]
    pub fn indices(&mut self, epoch: usize, step: usize) -> Vec<u32> {
        if step >= self.steps_per_epoch() {
            return Vec::new();
        }
        if self.cached_epoch != Some(epoch) {
            self.order.clear();
            self.order.extend(0..self.count);
            let mut generator = generator(Purpose::Batches, self.seed, epoch as u64, 0);
            self.order.shuffle(&mut generator);
            self.cached_epoch = Some(epoch);
        }
        let start = step * self.batch_size;
        let end = start.saturating_add(self.batch_size).min(self.order.len());
        self.order[start..end].to_vec()
    }
}

/// Sets a fraction of `count` samples apart: (those to train on, those to validate with), each
/// ascending. The fraction is held to 0..1, and one sample at least is left to train on.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a float's cast saturates, and the result is held to the count"
)]
pub fn split_validation(count: usize, fraction: f64, seed: u64) -> (Vec<u32>, Vec<u32>) {
    // NaN casts to 0: no validation.
    let wanted = (count as f64 * fraction).round() as usize;
    let validation_count = wanted.min(count.saturating_sub(1));
    let mut order: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    if validation_count == 0 {
        return (order, Vec::new());
    }
    order.shuffle(&mut generator(Purpose::Validation, seed, 0, 0));
    let mut train = order.split_off(validation_count);
    order.sort_unstable();
    train.sort_unstable();
    (train, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(batcher: &mut Batcher, epoch: usize) -> Vec<u32> {
        (0..batcher.steps_per_epoch()).flat_map(|step| batcher.indices(epoch, step)).collect()
    }

    #[test]
    fn an_epoch_visits_each_sample_once() {
        for (count, batch_size) in [(1, 1), (10, 3), (64, 64), (1000, 7), (5, 100)] {
            let mut batcher = Batcher::new(count, batch_size, 3, false).unwrap();
            assert_eq!(batcher.steps_per_epoch(), count.div_ceil(batch_size));
            for number in 0..3 {
                let mut seen = epoch(&mut batcher, number);
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..u32::try_from(count).unwrap()));
            }
        }
    }

    #[test]
    fn the_order_is_a_function_of_seed_and_epoch() {
        let mut a = Batcher::new(500, 32, 11, false).unwrap();
        let mut b = Batcher::new(500, 32, 11, false).unwrap();
        let first = epoch(&mut a, 0);
        let second = epoch(&mut a, 1);
        assert_ne!(first, second);
        // Another way of asking, the same answer.
        assert_eq!(second, epoch(&mut b, 1));
        assert_eq!(first[64..96], b.indices(0, 2));
        assert_ne!(first, epoch(&mut Batcher::new(500, 32, 12, false).unwrap(), 0));
        // Shuffled at all.
        assert!(!first.is_sorted());
    }

    /// Pinned, so that a new version of a crate cannot change runs in silence. The same numbers
    /// have to come out in wasm.
    #[test]
    fn the_order_of_seed_1_is_pinned() {
        let mut batcher = Batcher::new(10, 10, 1, false).unwrap();
        assert_eq!(batcher.indices(0, 0), [3, 6, 7, 1, 4, 2, 0, 9, 5, 8]);
    }

    #[test]
    fn the_last_batch() {
        let mut kept = Batcher::new(10, 4, 0, false).unwrap();
        assert_eq!(kept.indices(0, 2).len(), 2);
        assert_eq!(kept.indices(0, 3), [0u32; 0]);
        let mut dropped = Batcher::new(10, 4, 0, true).unwrap();
        assert_eq!(dropped.steps_per_epoch(), 2);
        assert_eq!(dropped.indices(0, 1).len(), 4);
        assert_eq!(dropped.indices(0, 2), [0u32; 0]);
        assert_eq!(dropped.indices(0, usize::MAX), [0u32; 0]);
        let mut huge = Batcher::new(10, usize::MAX, 0, false).unwrap();
        assert_eq!(huge.indices(0, 0).len(), 10);
    }

    #[test]
    fn impossible_settings_are_errors() {
        let code = |count, batch_size, drop_last| Batcher::new(count, batch_size, 0, drop_last).unwrap_err().code();
        assert_eq!(code(0, 1, false), "empty");
        assert_eq!(code(10, 0, false), "config_invalid");
        assert_eq!(code(10, 11, true), "config_invalid");
    }

    #[test]
    fn validation_and_training_part_the_samples() {
        let (train, validation) = split_validation(1000, 0.1, 5);
        assert_eq!((train.len(), validation.len()), (900, 100));
        let mut all = [train.clone(), validation.clone()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
        assert!(train.is_sorted() && validation.is_sorted());
        assert_eq!(split_validation(1000, 0.1, 5), (train, validation.clone()));
        assert_ne!(split_validation(1000, 0.1, 6).1, validation);
    }

    #[test]
    fn odd_fractions_leave_something_to_train_on() {
        for (fraction, expected) in [(0.0, 0), (-1.0, 0), (f64::NAN, 0), (1.0, 9), (7.0, 9)] {
            let (train, validation) = split_validation(10, fraction, 1);
            assert_eq!(validation.len(), expected);
            assert_eq!(train.len(), 10 - expected);
        }
        assert_eq!(split_validation(0, 0.5, 1), (vec![], vec![]));
    }
}
