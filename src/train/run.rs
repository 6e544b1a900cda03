//! A whole run: epochs of steps, an evaluation after each, in slices that fit a time budget.
//!
//! Nothing here blocks: [`Run::advance`] does a slice and returns what happened. Pausing is not
//! calling it. Everything random follows from the seed and the step, so that a run that is put
//! together again from its weights, its optimizer's state and its step goes on as if never stopped.

use std::collections::VecDeque;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::config::TrainConfig;
use super::event::{EpochEnd, Phase, Progress, ReportEvent, TrainEvent};
use super::trainer::{Batch, Trainer};
use crate::data::{Batcher, Dataset, IMAGE_PIXELS, Split, augment::Augmentation, batcher::split_validation};
use crate::device;
use crate::error::{Error, Result};
use crate::eval::{Report, ReportBuilder};
use crate::model::{ModelSpec, images_on};
use crate::store::safetensors::NamedTensor;

/// Images of one evaluation batch.
const EVALUATE_BATCH: usize = 100;
/// Steps between two readbacks at most, which bounds what is queued on a device.
const STEPS_MAX: usize = 64;

/// Which images are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluateOn {
    /// The training images that the net learns from.
    Train,
    /// Those held out from the training images.
    Validation,
    /// The test images.
    Test,
}

impl EvaluateOn {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

struct Evaluation {
    on: EvaluateOn,
    ends_epoch: bool,
    done: usize,
    builder: ReportBuilder,
}

/// The images that a finished evaluation was about, and its report.
pub struct Evaluated {
    /// Which images.
    pub on: EvaluateOn,
    /// The report.
    pub report: Report,
}

/// A run.
pub struct Run {
    trainer: Trainer,
    batcher: Option<Batcher>,
    train: Vec<u32>,
    validation: Vec<u32>,
    step: usize,
    stopped: bool,
    evaluations: VecDeque<Evaluation>,
    validation_result: Option<(f64, f64)>,
    history: Vec<EpochEnd>,
    last: Option<Evaluated>,
    clock: Clock,
}

/// How far a run is, to be put back with [`Run::resume`]. Weights and optimizer are apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunState {
    /// Steps done.
    pub step: usize,
    /// The finished epochs' results.
    pub history: Vec<EpochEnd>,
    /// Time spent computing, in ms.
    pub elapsed_ms: f64,
    /// Sum of the losses of the present epoch's steps, and how many they are.
    pub epoch_losses: (f64, usize),
}

#[derive(Default)]
struct Clock {
    elapsed_ms: f64,
    warm: bool,
    step_ms: Option<f64>,
    evaluate_image_ms: Option<f64>,
    epoch_losses: (f64, usize),
}

impl Run {
    /// A fresh run on `dataset`. Without one, only [`Run::trainer`] can be used.
    ///
    /// # Errors
    /// Those of [`Trainer::new`] and [`Batcher::new`].
    pub fn new(spec: &ModelSpec, config: TrainConfig, dataset: Option<&Dataset>, device: &Device) -> Result<Self> {
        Self::of(Trainer::new(spec, config, device)?, dataset)
    }

    /// A fresh run that starts from given weights, in PyTorch's names and layouts.
    ///
    /// # Errors
    /// Those of [`Trainer::from_tensors`] and [`Batcher::new`].
    pub fn from_tensors(
        spec: &ModelSpec,
        tensors: &[NamedTensor],
        config: TrainConfig,
        dataset: Option<&Dataset>,
        device: &Device,
    ) -> Result<Self> {
        Self::of(Trainer::from_tensors(spec, tensors, config, device)?, dataset)
    }

    fn of(trainer: Trainer, dataset: Option<&Dataset>) -> Result<Self> {
        let config = trainer.config();
        let count = dataset.map_or(0, |dataset| dataset.train.len());
        let (train, validation) = split_validation(count, config.validation_fraction, config.seed);
        let batcher =
            dataset.map(|_| Batcher::new(train.len(), config.batch_size, config.seed, config.drop_last)).transpose()?;
        Ok(Self {
            trainer,
            batcher,
            train,
            validation,
            step: 0,
            stopped: false,
            evaluations: VecDeque::new(),
            validation_result: None,
            history: Vec::new(),
            last: None,
            clock: Clock::default(),
        })
    }

    /// The trainer.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// The trainer, to change it.
    pub fn trainer_mut(&mut self) -> &mut Trainer {
        &mut self.trainer
    }

    /// Steps done.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Steps of an epoch; 0 without data.
    #[must_use]
    pub fn steps_per_epoch(&self) -> usize {
        self.batcher.as_ref().map_or(0, Batcher::steps_per_epoch)
    }

    /// Steps of the whole run.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.steps_per_epoch() * self.trainer.config().epochs
    }

    /// The learning rate of step `step`, from 0.
    #[must_use]
    pub fn learning_rate(&self, step: usize) -> f64 {
        let config = self.trainer.config();
        config.learning_rate * config.schedule.factor(step, self.total_steps())
    }

    /// Epochs that are done.
    #[must_use]
    pub fn epoch(&self) -> usize {
        self.step.checked_div(self.steps_per_epoch()).unwrap_or(0)
    }

    /// Images that are learned from, and held out for validation.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.train.len(), self.validation.len())
    }

    /// The finished epochs' results.
    #[must_use]
    pub fn history(&self) -> &[EpochEnd] {
        &self.history
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> RunState {
        RunState {
            step: self.step,
            history: self.history.clone(),
            elapsed_ms: self.clock.elapsed_ms,
            epoch_losses: self.clock.epoch_losses,
        }
    }

    /// The last evaluation on training or test images.
    #[must_use]
    pub fn last(&self) -> Option<&Evaluated> {
        self.last.as_ref()
    }

    /// The dataset's index of the `position`-th image of an evaluation.
    #[must_use]
    pub fn index(&self, on: EvaluateOn, position: usize) -> usize {
        match on {
            EvaluateOn::Train => self.train[position] as usize,
            EvaluateOn::Validation => self.validation[position] as usize,
            EvaluateOn::Test => position,
        }
    }

    /// Puts a run back to where it was. An epoch's evaluation that was not over is made again.
    ///
    /// # Errors
    /// [`Error::CheckpointInvalid`] when the run has not that many steps.
    pub fn resume(&mut self, state: RunState) -> Result<()> {
        let RunState { step, history, elapsed_ms, epoch_losses } = state;
        if step > self.total_steps() {
            return Err(Error::CheckpointInvalid { reason: format!("it is at step {step} of {}", self.total_steps()) });
        }
        self.step = step;
        self.history = history;
        self.clock.elapsed_ms = elapsed_ms;
        self.clock.epoch_losses = epoch_losses;
        let at_epoch_end = step > 0 && step.is_multiple_of(self.steps_per_epoch());
        if at_epoch_end && self.history.last().is_none_or(|epoch| epoch.step != step) {
            self.evaluate_epoch();
        }
        Ok(())
    }

    /// Ends the run where it is: no more steps, evaluations only.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.evaluations.clear();
    }

    /// Queues an evaluation, to be carried on by [`Run::advance`].
    pub fn evaluate(&mut self, on: EvaluateOn) {
        self.evaluations.push_back(Evaluation { on, ends_epoch: false, done: 0, builder: ReportBuilder::new(10) });
    }

    fn evaluate_epoch(&mut self) {
        for on in [EvaluateOn::Validation, EvaluateOn::Test] {
            if on == EvaluateOn::Test || !self.validation.is_empty() {
                self.evaluations.push_back(Evaluation {
                    on,
                    ends_epoch: true,
                    done: 0,
                    builder: ReportBuilder::new(10),
                });
            }
        }
    }

    /// What is to be done next.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if !self.evaluations.is_empty() {
            Phase::Evaluate
        } else if self.stopped || self.step >= self.total_steps() {
            Phase::Idle
        } else if self.clock.warm {
            Phase::Train
        } else {
            Phase::Warmup
        }
    }

    /// Trains or evaluates for about `budget_ms`, at least one batch; reads the losses back once.
    ///
    /// # Errors
    /// [`Error::DeviceFailed`].
    pub async fn advance(&mut self, dataset: &Dataset, budget_ms: f64) -> Result<Vec<TrainEvent>> {
        match self.phase() {
            Phase::Idle => Ok(vec![self.progress(Vec::new())]),
            Phase::Evaluate => self.advance_evaluation(dataset, budget_ms).await,
            Phase::Warmup | Phase::Train => self.advance_training(dataset, budget_ms).await,
        }
    }

    async fn advance_training(&mut self, dataset: &Dataset, budget_ms: f64) -> Result<Vec<TrainEvent>> {
        let began = Instant::now();
        let per_epoch = self.steps_per_epoch();
        let (epoch, in_epoch) = (self.step / per_epoch, self.step % per_epoch);
        let warming_up = !self.clock.warm;
        let wanted = match self.clock.step_ms {
            _ if warming_up => 1,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped next
            Some(step_ms) => (budget_ms / step_ms) as usize,
            None => 1,
        };
        let count = wanted.clamp(1, STEPS_MAX).min(per_epoch - in_epoch);
        if in_epoch == 0 {
            self.clock.epoch_losses = (0.0, 0);
        }
        let rates: Vec<f64> = (self.step..self.step + count).map(|step| self.learning_rate(step)).collect();
        let (batcher, train) = (self.batcher.as_mut().ok_or(Error::NoDataset)?, &self.train);
        let device = self.trainer.device().clone();
        let config = self.trainer.config();
        let changes = config.augment.limits().map(|limits| (limits, config.seed, epoch as u64));
        let batches = (in_epoch..in_epoch + count).zip(rates).map(|(step, rate)| {
            let indices = batcher.indices(epoch, step);
            let indices = indices.iter().map(|&i| train[i as usize] as usize);
            Ok((batch(dataset, indices, changes, &device)?, rate))
        });
        let losses = self.trainer.steps(batches).await?;
        let took_ms = elapsed_ms(began);
        self.clock.elapsed_ms += took_ms;
        if let Some(bad) = losses.iter().position(|loss| !loss.is_finite()) {
            let step = self.step + bad + 1;
            let loss = losses[bad];
            self.stop();
            let learning_rate = self.trainer.config().learning_rate;
            let message = format!(
                "The loss of step {step} is no longer a finite number: the steps were too large (learning \
                 rate {learning_rate}). The run has stopped and the last good weights are back. Try a \
                 smaller learning rate."
            );
            return Ok(vec![self.progress(losses), TrainEvent::Diverged { step, loss, message }]);
        }
        self.step += losses.len();
        for &loss in &losses {
            self.clock.epoch_losses.0 += f64::from(loss);
            self.clock.epoch_losses.1 += 1;
        }
        if warming_up {
            self.clock.warm = true;
        } else {
            #[allow(clippy::cast_precision_loss)]
            let step_ms = took_ms / losses.len() as f64;
            self.clock.step_ms = Some(self.clock.step_ms.map_or(step_ms, |before| 0.8 * before + 0.2 * step_ms));
        }
        if self.step.is_multiple_of(per_epoch) {
            self.evaluate_epoch();
        }
        let mut progress = self.progress(losses);
        if let (TrainEvent::Progress(progress), true) = (&mut progress, warming_up) {
            progress.phase = Phase::Warmup;
        }
        Ok(vec![progress])
    }

    async fn advance_evaluation(&mut self, dataset: &Dataset, budget_ms: f64) -> Result<Vec<TrainEvent>> {
        let began = Instant::now();
        let net = self.trainer.net().without_autodiff();
        let device = self.trainer.device().clone();
        let Some(mut evaluation) = self.evaluations.pop_front() else { return Ok(Vec::new()) };
        let split = if evaluation.on == EvaluateOn::Test { &dataset.test } else { &dataset.train };
        let total = self.evaluation_size(dataset, evaluation.on);
        let before = evaluation.done;
        loop {
            let end = total.min(evaluation.done + EVALUATE_BATCH);
            let indices: Vec<_> = (evaluation.done..end).map(|position| self.index(evaluation.on, position)).collect();
            let labels: Vec<u8> = indices.iter().map(|&i| split.labels[i]).collect();
            let logits = net.forward(images_on(gather(dataset, split, indices.iter().copied()), &device)?);
            let logits = device::read(vec![logits.flatten(0, 1)]).await?.remove(0);
            evaluation.builder.add(&logits, &labels)?;
            evaluation.done = end;
            if end == total || elapsed_ms(began) >= budget_ms {
                break;
            }
        }
        let took_ms = elapsed_ms(began);
        self.clock.elapsed_ms += took_ms;
        #[allow(clippy::cast_precision_loss)] // counts of images
        let image_ms = took_ms / (evaluation.done - before).max(1) as f64;
        self.clock.evaluate_image_ms = Some(image_ms);
        if evaluation.done < total {
            self.evaluations.push_front(evaluation);
            return Ok(vec![self.progress_in(Vec::new(), total)]);
        }
        let report = evaluation.builder.finish();
        let mut events = vec![self.progress_in(Vec::new(), total)];
        if evaluation.on == EvaluateOn::Validation {
            self.validation_result = Some((report.loss, report.accuracy));
            return Ok(events);
        }
        if evaluation.ends_epoch {
            let validation = self.validation_result.take();
            let (sum, count) = self.clock.epoch_losses;
            #[allow(clippy::cast_precision_loss)]
            let end = EpochEnd {
                epoch: self.epoch(),
                step: self.step,
                train_loss: (count > 0).then(|| sum / count as f64),
                validation_loss: validation.map(|(loss, _)| loss),
                validation_accuracy: validation.map(|(_, accuracy)| accuracy),
                test_loss: report.loss,
                test_accuracy: report.accuracy,
                elapsed_ms: self.clock.elapsed_ms,
            };
            self.history.push(end.clone());
            events.push(TrainEvent::EpochEnd(end));
        }
        events.push(TrainEvent::Report(ReportEvent {
            split: evaluation.on.name(),
            epoch: self.epoch(),
            step: self.step,
            count: report.count,
            loss: report.loss,
            accuracy: report.accuracy,
            macro_f1: report.macro_f1,
            confusion: report.confusion.counts.clone(),
            classes: report.classes.clone(),
        }));
        self.last = Some(Evaluated { on: evaluation.on, report });
        if evaluation.ends_epoch && self.phase() == Phase::Idle {
            events.push(TrainEvent::Finished);
        }
        Ok(events)
    }

    fn evaluation_size(&self, dataset: &Dataset, on: EvaluateOn) -> usize {
        match on {
            EvaluateOn::Train => self.train.len(),
            EvaluateOn::Validation => self.validation.len(),
            EvaluateOn::Test => dataset.test.len(),
        }
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self, losses: Vec<f32>) -> TrainEvent {
        self.progress_in(losses, 0)
    }

    #[allow(clippy::cast_precision_loss)]
    fn progress_in(&self, losses: Vec<f32>, evaluate_total: usize) -> TrainEvent {
        let config = self.trainer.config();
        let per_epoch = self.steps_per_epoch().max(1);
        let (sum, count) = self.clock.epoch_losses;
        let steps_left = self.total_steps().saturating_sub(self.step);
        let evaluation = self.evaluations.front();
        TrainEvent::Progress(Progress {
            phase: self.phase(),
            epoch: (self.step.saturating_sub(usize::from(evaluation.is_some())) / per_epoch + 1).min(config.epochs),
            epochs: config.epochs,
            step: self.step,
            total_steps: self.total_steps(),
            steps_per_epoch: self.steps_per_epoch(),
            losses,
            running_loss: (count > 0).then(|| sum / count as f64),
            learning_rate: self.learning_rate(self.step.saturating_sub(1)),
            images_per_second: self.clock.step_ms.map(|ms| config.batch_size as f64 / ms * 1e3),
            elapsed_ms: self.clock.elapsed_ms,
            remaining_ms: self.clock.step_ms.map(|ms| ms * steps_left as f64),
            evaluated: evaluation.map_or(0, |e| e.done),
            evaluate_total,
        })
    }
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Normalised pixels of some images, `[B, 784]`.
fn gather(dataset: &Dataset, split: &Split, indices: impl Iterator<Item = usize>) -> Vec<f32> {
    indices.flat_map(|i| dataset.normalise(split.image(i))).collect()
}

/// A batch of training images, each changed by what follows from (seed, epoch) and its index.
fn batch(
    dataset: &Dataset,
    indices: impl Iterator<Item = usize> + Clone,
    changes: Option<(Augmentation, u64, u64)>,
    device: &Device,
) -> Result<Batch> {
    let split = &dataset.train;
    let labels: Vec<u8> = indices.clone().map(|i| split.labels[i]).collect();
    let Some((limits, seed, epoch)) = changes else {
        return Batch::new(gather(dataset, split, indices), &labels, device);
    };
    let mut pixels = Vec::with_capacity(labels.len() * IMAGE_PIXELS);
    for i in indices {
        pixels.extend(dataset.normalise(&limits.apply(split.image(i), seed, epoch, i as u64)?));
    }
    Batch::new(pixels, &labels, device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic;

    /// What is learned from, as the net gets it.
    fn pixels(dataset: &Dataset, indices: &[usize], changes: Option<(u64, u64)>) -> Vec<f32> {
        let changes = changes.map(|(seed, epoch)| (Augmentation::default(), seed, epoch));
        let batch = batch(dataset, indices.iter().copied(), changes, &Device::flex()).unwrap();
        let read = device::read(vec![batch.images.flatten(0, 3)]);
        futures_lite::future::block_on(read).unwrap().remove(0)
    }

    #[test]
    fn images_change_with_seed_and_epoch_and_not_with_their_batch() {
        let dataset = synthetic::generate(20, 10, 1).unwrap();
        let plain = pixels(&dataset, &[7, 3], None);
        assert_eq!(plain[..784], dataset.normalise(dataset.train.image(7)));
        let changed = pixels(&dataset, &[7, 3], Some((5, 1)));
        assert_eq!(
            changed[..784],
            dataset.normalise(&Augmentation::default().apply(dataset.train.image(7), 5, 1, 7).unwrap())
        );
        assert_ne!(plain, changed);
        // In another batch, as when a run goes on, it is the same; in another epoch or run it is not.
        assert_eq!(pixels(&dataset, &[3], Some((5, 1))), changed[784..]);
        assert_ne!(pixels(&dataset, &[7, 3], Some((5, 2))), changed);
        assert_ne!(pixels(&dataset, &[7, 3], Some((6, 1))), changed);
    }
}
