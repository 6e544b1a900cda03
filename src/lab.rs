//! The lab: data, a net and its training, behind commands and events.
//!
//! It owns everything and knows nothing of the browser; natively and in wasm it is the same. One
//! command at a time: [`Lab::execute`] takes a [`Command`] and returns its [`Event`]s. A command
//! that fails changes nothing.

pub mod checkpoint;
mod command;
mod event;
pub mod weights;

use burn::tensor::Device;
use serde_bytes::ByteBuf;
use web_time::Instant;

pub use command::Command;
pub use event::Event;
use weights::Notes;

use crate::data::{Dataset, IMAGE_PIXELS, SplitName, catalog, normalise, synthetic};
use crate::device::{self, DeviceKind};
use crate::error::{Error, Result};
use crate::eval::softmax;
use crate::explain::{Attribute, Attribution, Gradient, predicted};
use crate::ink;
use crate::model::{ModelSummary, images_on, presets};
use crate::store::safetensors;
use crate::train::parity::{Parity, parity};
use crate::train::{Batch, EvaluateOn, Phase, Run, TrainConfig, TrainEvent};

/// Data, a net and its training, on one device.
pub struct Lab {
    kind: DeviceKind,
    device: Device,
    parity: Option<Parity>,
    dataset: Option<Dataset>,
    run: Option<Run>,
    /// What the weights at hand learned from, and expect.
    notes: Notes,
    held: Option<Batch>,
}

impl Lab {
    /// A lab on a device, which is initialised; a GPU is compared with the CPU.
    ///
    /// # Errors
    /// [`Error::DeviceUnavailable`] or [`Error::DeviceFailed`].
    pub async fn open(kind: DeviceKind) -> Result<Self> {
        let device = kind.open().await?;
        let parity = match kind {
            DeviceKind::Cpu => None,
            DeviceKind::Gpu => Some(parity(&device).await?),
        };
        let mnist = &catalog::CATALOG[0];
        let notes = Notes { mean: mnist.mean, std: mnist.std, dataset_id: None };
        Ok(Self { kind, device, parity, dataset: None, run: None, notes, held: None })
    }

    /// Carries out a command.
    ///
    /// # Errors
    /// What is wrong with the command or its data; everything is then as before. After
    /// [`Error::DeviceFailed`] the lab is of no more use.
    pub async fn execute(&mut self, command: Command) -> Result<Vec<Event>> {
        let event = match command {
            Command::Info => Event::Info { device: self.kind, parity: self.parity, version: env!("CARGO_PKG_VERSION") },
            Command::LoadIdx { id, title, train_images, train_labels, test_images, test_labels } => {
                let files = [&train_images, &train_labels, &test_images, &test_labels].map(|file| &file[..]);
                self.load(dataset_of(&id, title.as_deref(), files)?)
            }
            Command::LoadSynthetic { train_count, test_count, seed } => {
                self.load(synthetic::generate(train_count, test_count, seed)?)
            }
            Command::Samples { split, class, offset, count } => self.samples(split, class, offset, count)?,
            Command::Statistics { split } => Event::of_statistics(split, self.dataset()?.statistics(split)),
            Command::Configure { config } => {
                let spec = presets::lecture();
                self.run = Some(Run::new(&spec, config, self.dataset.as_ref(), &self.device)?);
                if let Some(dataset) = &self.dataset {
                    self.notes = Notes::of(dataset);
                }
                self.run_event()?
            }
            Command::Advance { budget_ms } => {
                let dataset = self.dataset.as_ref().ok_or(Error::NoDataset)?;
                let run = self.run.as_mut().ok_or(Error::NoRun)?;
                if run.phase() != Phase::Evaluate {
                    // From here on the weights are those of this data, wherever they began.
                    self.notes = Notes::of(dataset);
                }
                let events = run.advance(dataset, budget_ms).await?;
                return Ok(events.into_iter().map(Event::Train).collect());
            }
            Command::Test { split } => {
                self.dataset()?;
                let run = self.run_mut()?;
                run.evaluate(match split {
                    SplitName::Train => EvaluateOn::Train,
                    SplitName::Test => EvaluateOn::Test,
                });
                Event::Train(run.progress(Vec::new()))
            }
            Command::SetLearningRate { learning_rate } => {
                self.run_mut()?.trainer_mut().set_learning_rate(learning_rate)?;
                self.run_event()?
            }
            Command::Look { pixels, width, height, image, target, saliency } => {
                let began = Instant::now();
                let image = match (pixels, width, height, image) {
                    (None, None, None, Some(image)) => Some(image.into_vec()),
                    (Some(pixels), Some(width), Some(height), None) => ink::from_pixels(&pixels, width, height)?,
                    _ => {
                        let reason = "it takes either pixels, width and height, or an image".to_owned();
                        return Err(Error::CommandInvalid { reason });
                    }
                };
                self.look(image, target, saliency, began).await?
            }
            Command::Cell { truth, predicted, count } => self.cell(truth, predicted, count)?,
            Command::ExportWeights { half } => self.export_weights(half).await?,
            Command::ImportWeights { bytes } => return self.import_weights(&bytes),
            Command::ExportCheckpoint => {
                let (run, dataset) = (self.run()?, self.dataset()?);
                let bytes = ByteBuf::from(checkpoint::write(run, dataset).await?);
                Event::Checkpoint { bytes, epoch: run.epoch(), step: run.step(), dataset_id: dataset.id.clone() }
            }
            Command::ImportCheckpoint { bytes } => {
                let dataset = self.dataset()?;
                let notes = Notes::of(dataset);
                let run = checkpoint::read(&bytes, dataset, &self.device)?;
                let ends =
                    run.history().iter().cloned().map(TrainEvent::EpochEnd).map(Event::Train).collect::<Vec<_>>();
                self.run = Some(run);
                self.notes = notes;
                return Ok([vec![self.run_event()?], ends].concat());
            }
            Command::HoldBatch { images, labels } => {
                let batch = Batch::new(floats(&images)?, &labels, &self.device)?;
                self.held = Some(batch);
                Event::Held { count: labels.len() }
            }
            Command::StepHeld { read } => self.step_held(read).await?,
            Command::Infer { images } => self.infer(&images).await?,
            Command::Fault => panic!("a fault was asked for"),
        };
        Ok(vec![event])
    }

    fn dataset(&self) -> Result<&Dataset> {
        self.dataset.as_ref().ok_or(Error::NoDataset)
    }

    fn run(&self) -> Result<&Run> {
        self.run.as_ref().ok_or(Error::NoRun)
    }

    fn run_mut(&mut self) -> Result<&mut Run> {
        self.run.as_mut().ok_or(Error::NoRun)
    }

    fn load(&mut self, dataset: Dataset) -> Event {
        let event = Event::of_dataset(&dataset);
        self.dataset = Some(dataset);
        self.run = None;
        event
    }

    fn run_event(&self) -> Result<Event> {
        let run = self.run()?;
        let (train_count, validation_count) = run.counts();
        Ok(Event::Run {
            config: run.trainer().config().clone(),
            model: ModelSummary::new(run.trainer().net().spec())?,
            steps_per_epoch: run.steps_per_epoch(),
            total_steps: run.total_steps(),
            epoch: run.epoch(),
            step: run.step(),
            train_count,
            validation_count,
        })
    }

    fn samples(&self, split: SplitName, class: Option<u8>, offset: usize, count: usize) -> Result<Event> {
        let images = self.dataset()?.split(split);
        let all = images.of_class(class);
        let indices: Vec<u32> = all.iter().copied().skip(offset).take(count).collect();
        Ok(Event::Samples {
            split,
            class,
            total: all.len(),
            labels: indices.iter().map(|&i| images.labels[i as usize]).collect(),
            pixels: indices.iter().flat_map(|&i| images.image(i as usize)).copied().collect::<Vec<_>>().into(),
            indices,
        })
    }

    async fn look(
        &self,
        image: Option<Vec<u8>>,
        target: Option<usize>,
        saliency: bool,
        began: Instant,
    ) -> Result<Event> {
        let Some(image) = image else {
            return Ok(Event::Look {
                empty: true,
                image: ByteBuf::from(vec![0; IMAGE_PIXELS]),
                logits: Vec::new(),
                probabilities: Vec::new(),
                predicted: None,
                target: None,
                saliency: None,
                elapsed_ms: elapsed_ms(began),
            });
        };
        let net = self.run()?.trainer().net();
        let input = normalise(&image, self.notes.mean, self.notes.std);
        let (logits, target, values) = if saliency {
            let Attribution { logits, target, values } = Gradient.attribute(net, &input, target, &self.device).await?;
            (logits, Some(target), Some(values))
        } else {
            let logits = net.without_autodiff().forward(images_on(input, &self.device)?);
            (device::read(vec![logits.flatten(0, 1)]).await?.remove(0), target, None)
        };
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Error::NotFinite { what: "the net's answer" });
        }
        Ok(Event::Look {
            empty: false,
            image: ByteBuf::from(image),
            probabilities: softmax(&logits),
            predicted: Some(predicted(&logits)),
            target,
            saliency: values.map(|values| bytes_of(&values)),
            logits,
            elapsed_ms: elapsed_ms(began),
        })
    }

    fn cell(&self, truth: u8, predicted: u8, count: usize) -> Result<Event> {
        let (run, dataset) = (self.run()?, self.dataset()?);
        let last = run.last().ok_or(Error::NoReport)?;
        let split = if last.on == EvaluateOn::Test { &dataset.test } else { &dataset.train };
        let all = last.report.cell(truth, predicted);
        let (mut indices, mut pixels, mut probabilities) = (Vec::new(), Vec::new(), Vec::new());
        for position in all.iter().take(count).map(|&position| position as usize) {
            let index = run.index(last.on, position);
            indices.push(u32::try_from(index).unwrap_or(u32::MAX));
            pixels.extend_from_slice(split.image(index));
            probabilities.extend_from_slice(last.report.probabilities_of(position).unwrap_or_default());
        }
        Ok(Event::Cell {
            truth,
            predicted,
            total: all.len(),
            indices,
            pixels: ByteBuf::from(pixels),
            probabilities: bytes_of(&probabilities),
        })
    }

    async fn export_weights(&self, half: bool) -> Result<Event> {
        let bytes = weights::write(self.run()?.trainer().net(), &self.notes, half).await?;
        Ok(Event::Weights { bytes: ByteBuf::from(bytes) })
    }

    fn import_weights(&mut self, bytes: &[u8]) -> Result<Vec<Event>> {
        let (tensors, metadata) = safetensors::read(bytes)?;
        let config = self.run.as_ref().map_or_else(TrainConfig::default, |run| run.trainer().config().clone());
        let run = Run::from_tensors(&presets::lecture(), &tensors, config, self.dataset.as_ref(), &self.device)?;
        let unknown = Notes { dataset_id: None, ..self.notes.clone() };
        self.notes = Notes::read(&metadata).unwrap_or(unknown);
        self.run = Some(run);
        let parameters = tensors.iter().map(|tensor| tensor.values.len()).sum();
        Ok(vec![Event::WeightsLoaded { parameters, metadata }, self.run_event()?])
    }

    async fn step_held(&mut self, read: bool) -> Result<Event> {
        let batch = self.held.as_ref().ok_or(Error::Empty { what: "batch held" })?;
        let run = self.run.as_mut().ok_or(Error::NoRun)?;
        let learning_rate = run.trainer().config().learning_rate;
        let loss = run.trainer_mut().step(batch, learning_rate);
        let loss = if read { Some(device::read(vec![loss]).await?[0][0]) } else { None };
        Ok(Event::Stepped { loss })
    }

    async fn infer(&self, images: &[u8]) -> Result<Event> {
        let net = self.run()?.trainer().net().without_autodiff();
        let logits = net.forward(images_on(floats(images)?, &self.device)?);
        let logits = device::read(vec![logits.flatten(0, 1)]).await?.remove(0);
        let probabilities: Vec<f32> = logits.chunks_exact(10).flat_map(softmax).collect();
        Ok(Event::Inferred { probabilities: bytes_of(&probabilities) })
    }
}

/// A dataset from its four files: images and labels to train on, then those to test with.
fn dataset_of(id: &str, title: Option<&str>, files: [&[u8]; 4]) -> Result<Dataset> {
    if id == "own" {
        return Dataset::own_from_idx(title.unwrap_or("Your own files"), files);
    }
    let entry = catalog::find(id).ok_or_else(|| Error::UnknownDataset { id: id.to_owned() })?;
    Dataset::from_idx(entry, files)
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// f32 bytes as numbers.
fn floats(bytes: &[u8]) -> Result<Vec<f32>> {
    let (values, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Error::WrongLength { what: "f32 bytes", expected: values.len() * 4, got: bytes.len() });
    }
    Ok(values.iter().map(|&value| f32::from_le_bytes(value)).collect())
}

/// Numbers as f32 bytes.
fn bytes_of(values: &[f32]) -> ByteBuf {
    ByteBuf::from(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}
