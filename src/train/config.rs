//! The settings of a run.

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::data::augment::Augment;
use crate::error::{Error, Result};

/// The optimizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam.
    Adam,
}

/// The settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrainConfig {
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// Learning rate, above 0; that of the first step where it has a schedule. It alone may change
    /// during a run.
    pub learning_rate: f64,
    /// How the learning rate changes over the run.
    pub schedule: Schedule,
    /// Momentum of SGD, in `[0, 1)`. Adam has moments of its own (0.9 and 0.999).
    pub momentum: f64,
    /// Images a step.
    pub batch_size: usize,
    /// Times that every training image is seen.
    pub epochs: usize,
    /// Initial weights, split and order of the batches follow from it. Below 2⁵³, so that
    /// JavaScript can hold it.
    pub seed: u64,
    /// Part of the training images that is held out for validation, in `[0, 0.5]`.
    pub validation_fraction: f64,
    /// Whether an epoch's last batch is left out when it is not full.
    pub drop_last: bool,
    /// How training images are changed, each another way in each epoch.
    pub augment: Augment,
}

impl Default for TrainConfig {
    /// A sensible start: Adam, learning rate 0.001, batch 64, 3 epochs.
    fn default() -> Self {
        Self {
            optimizer: OptimizerKind::Adam,
            learning_rate: 0.001,
            schedule: Schedule::Constant,
            momentum: 0.9,
            batch_size: 64,
            epochs: 3,
            seed: 1,
            validation_fraction: 0.0,
            drop_last: false,
            augment: Augment::None,
        }
    }
}

impl TrainConfig {
    /// The lecture's settings: SGD, learning rate 0.001, momentum 0.9, batch 10, 2 epochs.
    #[must_use]
    pub fn lecture() -> Self {
        Self { optimizer: OptimizerKind::Sgd, batch_size: 10, epochs: 2, ..Self::default() }
    }

    /// Settings for a short and good run, and those that the page starts with: Adam, batch 32, 2 epochs
    /// of images that are moved by up to a pixel, and a learning rate that falls from 0.001 to 0 along
    /// half a cosine.
    #[must_use]
    pub fn quick() -> Self {
        Self { schedule: Schedule::Cosine, batch_size: 32, epochs: 2, augment: Augment::Shift, ..Self::default() }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the setting and its value.
    pub fn validate(&self) -> Result<()> {
        let invalid = |field, reason: String| Err(Error::ConfigInvalid { field, reason });
        validate_learning_rate(self.learning_rate)?;
        if !(0.0..1.0).contains(&self.momentum) {
            return invalid("momentum", format!("{} is not between 0 and 1", self.momentum));
        }
        if !(1..=4096).contains(&self.batch_size) {
            return invalid("batch size", format!("{} is not between 1 and 4096", self.batch_size));
        }
        if !(1..=1000).contains(&self.epochs) {
            return invalid("epochs", format!("{} is not between 1 and 1000", self.epochs));
        }
        if !(0.0..=0.5).contains(&self.validation_fraction) {
            return invalid("validation split", format!("{} is not between 0 and 0.5", self.validation_fraction));
        }
        if self.seed >= 1 << 53 {
            return invalid("seed", format!("{} is not below 2^53", self.seed));
        }
        Ok(())
    }
}

/// Checks a learning rate.
///
/// # Errors
/// [`Error::ConfigInvalid`] when it is not a finite number above 0.
pub fn validate_learning_rate(learning_rate: f64) -> Result<()> {
    if learning_rate.is_finite() && learning_rate > 0.0 {
        return Ok(());
    }
    Err(Error::ConfigInvalid { field: "learning rate", reason: format!("{learning_rate} is not a number above 0") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_valid() {
        TrainConfig::default().validate().unwrap();
        TrainConfig::lecture().validate().unwrap();
        TrainConfig::quick().validate().unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let bad = [
            TrainConfig { learning_rate: f64::NAN, ..TrainConfig::default() },
            TrainConfig { learning_rate: -0.1, ..TrainConfig::default() },
            TrainConfig { momentum: 1.0, ..TrainConfig::default() },
            TrainConfig { batch_size: 0, ..TrainConfig::default() },
            TrainConfig { epochs: 0, ..TrainConfig::default() },
            TrainConfig { validation_fraction: 0.6, ..TrainConfig::default() },
            TrainConfig { seed: 1 << 53, ..TrainConfig::default() },
        ];
        for config in bad {
            assert_eq!(config.validate().unwrap_err().code(), "config_invalid", "{config:?}");
        }
    }

    #[test]
    fn settings_left_out_are_the_default() {
        let config: TrainConfig = serde_json::from_str(r#"{"optimizer":"sgd","batchSize":10}"#).unwrap();
        assert_eq!(config, TrainConfig { epochs: 3, ..TrainConfig::lecture() });
        // So a run that was kept before there were these settings goes on as it began.
        assert_eq!((config.schedule, config.augment), (Schedule::Constant, Augment::None));
    }

    #[test]
    fn a_schedule_that_is_not_known_is_an_error() {
        assert!(serde_json::from_str::<TrainConfig>(r#"{"schedule":"cosine"}"#).is_ok());
        let error = serde_json::from_str::<TrainConfig>(r#"{"schedule":"sawtooth"}"#).unwrap_err().to_string();
        assert!(error.contains("sawtooth") && error.contains("cosine"), "{error}");
    }
}
