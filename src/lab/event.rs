//! What a lab answers. `www/protocol.js` lists the same.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::data::{Dataset, SplitName, Statistics};
use crate::device::DeviceKind;
use crate::model::ModelSummary;
use crate::train::parity::Parity;
use crate::train::{TrainConfig, TrainEvent};

/// An event. Bulk data goes as bytes; "f32 bytes" are little-endian 32-bit floats.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Which device computes.
    Info {
        /// The device.
        device: DeviceKind,
        /// How well it agrees with the CPU; `None` on the CPU.
        parity: Option<Parity>,
        /// The crate's version.
        version: &'static str,
    },
    /// A dataset was loaded.
    Dataset {
        /// Its name for programs.
        id: String,
        /// Its name for people.
        title: String,
        /// A name for each class.
        class_names: Vec<String>,
        /// Mean that pixels are normalised with, full ink is 1.
        mean: f32,
        /// Standard deviation that pixels are normalised with, full ink is 1.
        std: f32,
        /// Training images.
        train_count: usize,
        /// Test images.
        test_count: usize,
    },
    /// Some images.
    Samples {
        /// Of which split.
        split: SplitName,
        /// Of which class; `None` for all.
        class: Option<u8>,
        /// How many there are in all.
        total: usize,
        /// `[n]`, their positions in the split.
        indices: Vec<u32>,
        /// `[n]`, their classes.
        labels: Vec<u8>,
        /// `[n, 28, 28]`
        pixels: ByteBuf,
    },
    /// A split's numbers.
    Statistics {
        /// Which split.
        split: SplitName,
        /// Images.
        count: usize,
        /// `[10]`, images of each class.
        class_counts: Vec<usize>,
        /// Mean of all pixels, full ink is 1.
        mean: f32,
        /// Standard deviation of all pixels, full ink is 1.
        std: f32,
        /// `[10, 28, 28]`, the mean image of each class.
        class_means: ByteBuf,
    },
    /// A run as it is set up.
    Run {
        /// Its settings.
        config: TrainConfig,
        /// The net.
        model: ModelSummary,
        /// Steps of an epoch.
        steps_per_epoch: usize,
        /// Steps of all epochs.
        total_steps: usize,
        /// Epochs done.
        epoch: usize,
        /// Steps done.
        step: usize,
        /// Images that are learned from.
        train_count: usize,
        /// Images held out for validation.
        validation_count: usize,
    },
    /// What the net says to an image.
    Look {
        /// Whether nothing was drawn; then there is no answer.
        empty: bool,
        /// `[28, 28]`, as the net sees it before normalisation.
        image: ByteBuf,
        /// `[10]`, or none.
        logits: Vec<f32>,
        /// `[10]`, the softmax of the logits, or none.
        probabilities: Vec<f32>,
        /// The class of the largest logit.
        predicted: Option<usize>,
        /// The class that is explained.
        target: Option<usize>,
        /// f32 bytes `[28, 28]`: the gradient of the target's logit by the normalised pixels.
        saliency: Option<ByteBuf>,
        /// How long the answer took, in ms.
        elapsed_ms: f64,
    },
    /// Images in a cell of the confusion matrix.
    Cell {
        /// Their class.
        truth: u8,
        /// The class they were taken for.
        predicted: u8,
        /// How many there are in all.
        total: usize,
        /// `[n]`, their positions in the split.
        indices: Vec<u32>,
        /// `[n, 28, 28]`
        pixels: ByteBuf,
        /// f32 bytes `[n, 10]`
        probabilities: ByteBuf,
    },
    /// The weights as a safetensors file.
    Weights {
        /// The file.
        bytes: ByteBuf,
    },
    /// Weights were taken over.
    WeightsLoaded {
        /// How many parameters.
        parameters: usize,
        /// The file's notes.
        metadata: BTreeMap<String, String>,
    },
    /// All that continues a run.
    Checkpoint {
        /// The checkpoint, a safetensors file.
        bytes: ByteBuf,
        /// Epochs done.
        epoch: usize,
        /// Steps done.
        step: usize,
        /// The dataset of the run.
        dataset_id: String,
    },
    /// A batch is held on the device.
    Held {
        /// Its images.
        count: usize,
    },
    /// A step was made on the batch held.
    Stepped {
        /// The loss before the step, where it was waited for.
        loss: Option<f32>,
    },
    /// Probabilities of images.
    Inferred {
        /// f32 bytes `[B, 10]`
        probabilities: ByteBuf,
    },
    /// News of the run.
    #[serde(untagged)]
    Train(TrainEvent),
}

impl Event {
    /// What there is to say of a dataset.
    #[must_use]
    pub fn of_dataset(dataset: &Dataset) -> Self {
        Self::Dataset {
            id: dataset.id.clone(),
            title: dataset.title.clone(),
            class_names: dataset.class_names.clone(),
            mean: dataset.mean,
            std: dataset.std,
            train_count: dataset.train.len(),
            test_count: dataset.test.len(),
        }
    }

    /// A split's numbers.
    #[must_use]
    pub fn of_statistics(split: SplitName, statistics: Statistics) -> Self {
        let Statistics { count, class_counts, mean, std, class_means } = statistics;
        Self::Statistics { split, count, class_counts, mean, std, class_means: ByteBuf::from(class_means) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_tagged_objects() {
        let json = |event: Event| serde_json::to_string(&event).unwrap();
        assert_eq!(json(Event::Stepped { loss: None }), r#"{"type":"stepped","loss":null}"#);
        assert_eq!(json(Event::Train(TrainEvent::Finished)), r#"{"type":"finished"}"#);
        let event = Event::Info {
            device: DeviceKind::Gpu,
            parity: Some(Parity { ok: true, max_relative_error: 0.5 }),
            version: "1",
        };
        assert_eq!(
            json(event),
            r#"{"type":"info","device":"gpu","parity":{"ok":true,"maxRelativeError":0.5},"version":"1"}"#
        );
    }
}
