//! What a lab can be asked. `www/protocol.js` lists the same.

use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::data::SplitName;
use crate::train::TrainConfig;

/// A command. Bulk data comes as bytes; "f32 bytes" are little-endian 32-bit floats.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Which device computes, and how well. Answers `info`.
    Info,
    /// Takes a dataset from four unpacked IDX files. Answers `dataset`; the run before is over.
    LoadIdx {
        /// A catalog entry's name, or `own`.
        id: String,
        /// Name for people, of the visitor's own files.
        #[serde(default)]
        title: Option<String>,
        /// IDX file of training images.
        train_images: ByteBuf,
        /// IDX file of training labels.
        train_labels: ByteBuf,
        /// IDX file of test images.
        test_images: ByteBuf,
        /// IDX file of test labels.
        test_labels: ByteBuf,
    },
    /// Draws a dataset. Answers `dataset`; the run before is over.
    LoadSynthetic {
        /// Training images.
        train_count: usize,
        /// Test images.
        test_count: usize,
        /// Seed.
        seed: u64,
    },
    /// Asks for some images of a split. Answers `samples`.
    Samples {
        /// Which split.
        split: SplitName,
        /// Of this class alone; `None` for all.
        class: Option<u8>,
        /// How many of them to leave out first.
        offset: usize,
        /// How many at most.
        count: usize,
    },
    /// Asks for a split's numbers. Answers `statistics`.
    Statistics {
        /// Which split.
        split: SplitName,
    },
    /// Sets up a new run with fresh weights. Answers `run`.
    Configure {
        /// Its settings.
        config: TrainConfig,
    },
    /// Trains or evaluates for about a time. Answers what happened.
    Advance {
        /// How long, in ms.
        budget_ms: f64,
    },
    /// Queues an evaluation, to be carried on by `advance`. Answers `progress`.
    Test {
        /// On which images.
        split: SplitName,
    },
    /// Changes the learning rate of the run. Answers `run`.
    SetLearningRate {
        /// The learning rate, above 0.
        learning_rate: f64,
    },
    /// Asks what an image is, and why. Answers `look`.
    Look {
        /// A drawing, `[height, width]` coverage by ink.
        pixels: Option<ByteBuf>,
        /// Width of the drawing.
        width: Option<usize>,
        /// Height of the drawing.
        height: Option<usize>,
        /// Instead of a drawing: an image, `[28, 28]`.
        image: Option<ByteBuf>,
        /// The class to explain; the predicted one when `None`.
        target: Option<usize>,
        /// Whether saliency is wanted.
        saliency: bool,
    },
    /// Asks for the images in a cell of the last report's confusion matrix. Answers `cell`.
    Cell {
        /// Their class.
        truth: u8,
        /// The class they were taken for.
        predicted: u8,
        /// How many at most.
        count: usize,
    },
    /// Asks for the weights as a safetensors file. Answers `weights`.
    ExportWeights {
        /// As f16 instead of f32.
        half: bool,
    },
    /// Takes weights from a safetensors file; a run begins anew with them. Answers `weightsLoaded`, `run`.
    ImportWeights {
        /// The file.
        bytes: ByteBuf,
    },
    /// Asks for all that continues the run. Answers `checkpoint`.
    ExportCheckpoint,
    /// Goes on where a checkpoint was made. Answers `run`, and `epochEnd` for each epoch behind it.
    ImportCheckpoint {
        /// The checkpoint.
        bytes: ByteBuf,
    },
    /// Keeps one batch on the device, for `stepHeld`. Answers `held`.
    HoldBatch {
        /// f32 bytes `[B, 784]`, normalised.
        images: ByteBuf,
        /// `[B]` labels.
        labels: ByteBuf,
    },
    /// One training step on the batch held. Answers `stepped`.
    StepHeld {
        /// Whether to wait for the loss.
        read: bool,
    },
    /// Asks for the probabilities of images. Answers `inferred`.
    Infer {
        /// f32 bytes `[B, 784]`, normalised.
        images: ByteBuf,
    },
    /// Panics. For tests of what comes after.
    Fault,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_tagged_objects() {
        let command: Command =
            serde_json::from_str(r#"{"type":"samples","split":"test","class":null,"offset":3,"count":9}"#).unwrap();
        assert_eq!(command, Command::Samples { split: SplitName::Test, class: None, offset: 3, count: 9 });
        let command: Command = serde_json::from_str(r#"{"type":"advance","budgetMs":200}"#).unwrap();
        assert_eq!(command, Command::Advance { budget_ms: 200.0 });
        assert!(serde_json::from_str::<Command>(r#"{"type":"dance"}"#).is_err());
    }
}
