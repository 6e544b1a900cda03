//! One net, one optimizer, one step at a time.

use burn::tensor::{Device, Tensor};

use super::config::TrainConfig;
use super::loss::cross_entropy;
use super::optimizer::Optimizer;
use crate::device::{read, upload};
use crate::error::{Error, Result};
use crate::model::{ModelSpec, Net, images_on};
use crate::store::safetensors::NamedTensor;

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[B, 1, 28, 28]` f32, normalised.
    pub images: Tensor<4>,
    /// `[B, 10]` f32, 1 for an image's class, 0 for the others.
    pub targets: Tensor<2>,
}

impl Batch {
    /// Puts images and their labels onto a device.
    ///
    /// # Shapes
    /// - `images`: `[B, 784]` f32, normalised, row-major
    /// - `labels`: `[B]`, each in `0..10`
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::WrongLength`] or [`Error::LabelOutOfRange`].
    pub fn new(images: Vec<f32>, labels: &[u8], device: &Device) -> Result<Self> {
        let count = labels.len();
        if let Some((index, &label)) = labels.iter().enumerate().find(|&(_, &label)| label >= 10) {
            return Err(Error::LabelOutOfRange { index, label, classes: 10 });
        }
        let images = images_on(images, device)?;
        if images.dims()[0] != count {
            return Err(Error::LengthMismatch { images: images.dims()[0], labels: count });
        }
        let mut targets = vec![0.0; count * 10];
        targets.chunks_exact_mut(10).zip(labels).for_each(|(row, &label)| row[usize::from(label)] = 1.0);
        Ok(Self { images, targets: upload(targets, [count, 10], device) })
    }
}

/// What a step changes: a handle on it is cheap to keep, since tensors are shared.
#[derive(Clone)]
struct State {
    net: Net,
    optimizer: Optimizer,
}

/// Trains a net.
pub struct Trainer {
    state: State,
    good: Option<State>,
    config: TrainConfig,
    /// Plain device; the net's parameters live on its autodiff twin.
    device: Device,
}

impl Trainer {
    /// A trainer with fresh weights.
    ///
    /// # Errors
    /// Those of [`TrainConfig::validate`] and [`Net::init`].
    pub fn new(spec: &ModelSpec, config: TrainConfig, device: &Device) -> Result<Self> {
        config.validate()?;
        let net = Net::init(spec, config.seed, &device.clone().autodiff())?;
        Ok(Self::of(net, config, device))
    }

    /// A trainer that starts from given weights, in PyTorch's names and layouts.
    ///
    /// # Errors
    /// Those of [`TrainConfig::validate`] and [`Net::from_tensors`].
    pub fn from_tensors(
        spec: &ModelSpec,
        tensors: &[NamedTensor],
        config: TrainConfig,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        let net = Net::from_tensors(spec, tensors, &device.clone().autodiff())?;
        Ok(Self::of(net, config, device))
    }

    fn of(net: Net, config: TrainConfig, device: &Device) -> Self {
        let optimizer = Optimizer::new(&config);
        Self { state: State { net, optimizer }, good: None, config, device: device.clone().without_autodiff() }
    }

    /// One step on one batch, with the learning rate given: the schedule is the run's, which knows
    /// how far it is.
    ///
    /// # Shapes
    /// - output: `[1]` f32, the batch's mean loss before the step; it stays on the device
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) -> Tensor<1> {
        let State { net, optimizer } = &mut self.state;
        let loss = cross_entropy(net.forward(batch.images.clone()), batch.targets.clone());
        let mut gradients = loss.backward();
        optimizer.step(net, &mut gradients, learning_rate);
        loss.without_autodiff()
    }

    /// The net as it is now.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.state.net
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The device that trains.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Changes the setting; the run heeds it from its next step on.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`].
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        super::config::validate_learning_rate(learning_rate)?;
        self.config.learning_rate = learning_rate;
        Ok(())
    }

    /// Makes a step for each batch and learning rate, then says whether every loss was finite. The
    /// weights from before the last good call are kept, since a loss shows only what the weights
    /// before its step were worth.
    ///
    /// # Errors
    /// [`Error::DeviceFailed`] when the losses cannot be read.
    pub async fn steps(&mut self, batches: impl Iterator<Item = Result<(Batch, f64)>>) -> Result<Vec<f32>> {
        let before = self.state.clone();
        let mut losses = Vec::new();
        for batch in batches {
            let (batch, learning_rate) = batch?;
            losses.push(self.step(&batch, learning_rate));
        }
        if losses.is_empty() {
            return Ok(Vec::new());
        }
        // Each for itself, in one go: to join them would be a kernel for each on the GPU.
        let losses = read(losses).await?.concat();
        if losses.iter().all(|loss| loss.is_finite()) {
            self.good = Some(before);
        } else {
            self.state = self.good.clone().unwrap_or(before);
        }
        Ok(losses)
    }

    /// The optimizer's state and Adam's count of steps, read back.
    ///
    /// # Errors
    /// [`Error::DeviceFailed`].
    pub async fn optimizer_tensors(&self) -> Result<(Vec<NamedTensor>, usize)> {
        self.state.optimizer.tensors().await
    }

    /// Takes over an optimizer's state.
    ///
    /// # Errors
    /// [`Error::CheckpointInvalid`]; then the optimizer is as it was.
    pub fn restore_optimizer(&mut self, tensors: &[NamedTensor], time: usize) -> Result<()> {
        let sizes: Vec<_> = self
            .state
            .net
            .spec()
            .parameters()
            .into_iter()
            .map(|(name, shape)| (name, shape.iter().product()))
            .collect();
        self.state.optimizer.restore(tensors, time, &sizes, &self.device)
    }
}
