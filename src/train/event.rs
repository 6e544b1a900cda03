//! What a run tells.

use serde::{Deserialize, Serialize};

use crate::eval::ClassMetrics;

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The first step on a device: shaders are compiled. Left out of the throughput.
    Warmup,
    /// Training steps.
    Train,
    /// Evaluating on held-out images.
    Evaluate,
    /// Nothing left to do.
    Idle,
}

/// News of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum TrainEvent {
    /// How far it is.
    Progress(Progress),
    /// An epoch and its evaluation are over.
    EpochEnd(EpochEnd),
    /// An evaluation on the test or training images is over.
    Report(ReportEvent),
    /// The last epoch is over.
    Finished,
    /// A loss was not finite: the run is over, the last good weights are back.
    Diverged {
        /// The step whose loss it was, counted from 1.
        step: usize,
        /// That loss.
        loss: f32,
        /// What it means, in a sentence.
        message: String,
    },
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Steps done in all.
    pub step: usize,
    /// Steps of the whole run.
    pub total_steps: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Each step's loss since the last news.
    pub losses: Vec<f32>,
    /// Mean loss of this epoch so far, as the lecture prints it.
    pub running_loss: Option<f64>,
    /// Learning rate of the last step, before it of the first: the setting times its schedule.
    pub learning_rate: f64,
    /// Training images a second, without warm-up and evaluation.
    pub images_per_second: Option<f64>,
    /// Time spent computing, pauses left out, in ms.
    pub elapsed_ms: f64,
    /// What is left at the present pace, in ms.
    pub remaining_ms: Option<f64>,
    /// Images evaluated in the evaluation at hand.
    pub evaluated: usize,
    /// Images that it takes.
    pub evaluate_total: usize,
}

/// An epoch's results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochEnd {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Steps done in all.
    pub step: usize,
    /// Mean training loss of the epoch's steps.
    pub train_loss: Option<f64>,
    /// Mean loss on the validation images, where some are held out.
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation images, in `[0, 1]`.
    pub validation_accuracy: Option<f64>,
    /// Mean loss on the test images.
    pub test_loss: f64,
    /// Accuracy on the test images, in `[0, 1]`.
    pub test_accuracy: f64,
    /// Time spent computing since the run began, in ms.
    pub elapsed_ms: f64,
}

/// An evaluation's results.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportEvent {
    /// "test", "train" or "validation".
    pub split: &'static str,
    /// Epochs done.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Images.
    pub count: usize,
    /// Mean cross-entropy.
    pub loss: f64,
    /// Share of right answers, in `[0, 1]`.
    pub accuracy: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
    /// `[truth, predicted]`, row by row.
    pub confusion: Vec<u32>,
    /// Each class' metrics.
    pub classes: Vec<ClassMetrics>,
}
