//! SGD with momentum and Adam, over Burn's, with their state keyed by PyTorch's parameter names.
//!
//! Burn's `ModuleOptimizer` keys its state by random parameter ids and reads it back with blocking
//! calls, which panic in a browser (Burn 0.22.1). So the bare optimizers are called here, parameter
//! by parameter, on the flattened tensors; the state is then a plain list of vectors. On the CPU the
//! same arithmetic is done in one pass (`cpu.rs`): Burn's takes a dozen over Adam's moments. On WebGPU it
//! is one kernel for that dozen (`gpu.rs`).

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

use std::collections::BTreeMap;

use burn::optim::momentum::{Momentum, MomentumConfig, MomentumState};
use burn::optim::{AdamConfig, AdamState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Device, Gradients, Tensor};

use super::config::{OptimizerKind, TrainConfig};
use crate::device;
use crate::error::{Error, Result};
use crate::kernels::{self, or_burn};
use crate::model::{Net, ParameterMap};
use crate::store::safetensors::NamedTensor;

/// An optimizer and its state.
#[derive(Clone)]
pub struct Optimizer {
    rule: Rule,
    state: BTreeMap<String, State>,
}

#[derive(Clone)]
enum Rule {
    Sgd { momentum: f64 },
    Adam,
}

/// Adam's constants, which are PyTorch's defaults.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// State of one parameter. Tensors are flat, `[N]`, in the order of Burn's layout.
#[derive(Clone)]
#[allow(clippy::large_enum_variant)] // as many of them as parameters: eight
enum State {
    Sgd { velocity: Tensor<1> },
    Adam(AdaptiveMomentumState<1>),
}

impl Optimizer {
    /// A fresh optimizer.
    #[must_use]
    pub fn new(config: &TrainConfig) -> Self {
        let rule = match config.optimizer {
            OptimizerKind::Sgd => Rule::Sgd { momentum: config.momentum },
            OptimizerKind::Adam => Rule::Adam,
        };
        Self { rule, state: BTreeMap::new() }
    }

    /// Changes every parameter of `net` by its gradient.
    pub fn step(&mut self, net: &mut Net, gradients: &mut Gradients, learning_rate: f64) {
        net.map(&mut Update { optimizer: self, gradients, learning_rate });
    }

    fn update(&mut self, name: &str, learning_rate: f64, value: Tensor<1>, gradient: Tensor<1>) -> Tensor<1> {
        let state = self.state.remove(name);
        #[cfg(feature = "gpu")]
        if let Some((value, state)) = gpu::step(&self.rule, learning_rate, &value, &gradient, state.as_ref()) {
            self.state.insert(name.into(), state);
            return value;
        }
        let (value, state) = if kernels::changeable(&value) && kernels::changeable(&gradient) {
            cpu::step(&self.rule, learning_rate, value, gradient, state)
        } else {
            or_burn(None, || by_burn(&self.rule, learning_rate, value, gradient, state))
        };
        self.state.insert(name.into(), state);
        value
    }

    /// The state read back: `velocity/NAME`, or `moment_1/NAME` and `moment_2/NAME`; and the number
    /// of Adam's steps.
    ///
    /// # Errors
    /// [`Error::DeviceFailed`] when the device failed.
    pub async fn tensors(&self) -> Result<(Vec<NamedTensor>, usize)> {
        let mut names = Vec::new();
        let mut tensors = Vec::new();
        let mut time = 0;
        for (name, state) in &self.state {
            match state {
                State::Sgd { velocity } => {
                    names.push(format!("velocity/{name}"));
                    tensors.push(velocity.clone());
                }
                State::Adam(state) => {
                    time = state.time;
                    names.push(format!("moment_1/{name}"));
                    tensors.push(state.moment_1.clone());
                    names.push(format!("moment_2/{name}"));
                    tensors.push(state.moment_2.clone());
                }
            }
        }
        let values = device::read(tensors).await?;
        let tensors = names
            .into_iter()
            .zip(values)
            .map(|(name, values)| NamedTensor { name, shape: vec![values.len()], values })
            .collect();
        Ok((tensors, time))
    }

    /// Takes over a state that [`Optimizer::tensors`] gave; `sizes` has each parameter's length.
    ///
    /// # Errors
    /// [`Error::CheckpointInvalid`] when a tensor is missing or has another length.
    pub fn restore(
        &mut self,
        tensors: &[NamedTensor],
        time: usize,
        sizes: &[(String, usize)],
        on: &Device,
    ) -> Result<()> {
        let find = |key: String, size: usize| {
            let tensor = tensors.iter().find(|t| t.name == key && t.values.len() == size);
            let tensor = tensor.ok_or_else(|| Error::CheckpointInvalid {
                reason: format!("the optimizer's {key} is missing or not {size} long"),
            })?;
            Ok::<_, Error>(device::upload(tensor.values.clone(), [size], on))
        };
        let mut state = BTreeMap::new();
        for (name, size) in sizes {
            let of_this = match &self.rule {
                Rule::Sgd { .. } => State::Sgd { velocity: find(format!("velocity/{name}"), *size)? },
                Rule::Adam => State::Adam(AdaptiveMomentumState::new(
                    time,
                    find(format!("moment_1/{name}"), *size)?,
                    find(format!("moment_2/{name}"), *size)?,
                )),
            };
            state.insert(name.clone(), of_this);
        }
        self.state = state;
        Ok(())
    }
}

/// What takes the bias towards zero from Adam's moments at step `time`, from 1: the factor of the first,
/// and epsilon beside the root of the second, in the order of operations that section 2 of the paper gives.
fn without_bias(time: usize) -> (f32, f32) {
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // as Burn does
    let exponent = time as i32;
    let root = (1.0 - BETA_2.powi(exponent)).sqrt();
    (root / (1.0 - BETA_1.powi(exponent)), EPSILON * root)
}

/// A step with Burn's optimizers; here with PyTorch's constants where Burn's defaults differ: no
/// dampening of the momentum (Burn: 0.1), Adam's epsilon 1e-8 (Burn: 1e-5).
fn by_burn(
    rule: &Rule,
    learning_rate: f64,
    value: Tensor<1>,
    gradient: Tensor<1>,
    state: Option<State>,
) -> (Tensor<1>, State) {
    match rule {
        Rule::Sgd { momentum } => {
            let state = match state {
                Some(State::Sgd { velocity }) => Some(MomentumState::new(velocity)),
                _ => None,
            };
            let momentum = Momentum::new(&MomentumConfig::new().with_momentum(*momentum).with_dampening(0.0));
            // Without Nesterov's term, what Burn gives as the gradient is the velocity.
            let (velocity, _) = momentum.transform(gradient, state);
            (value - velocity.clone().mul_scalar(learning_rate), State::Sgd { velocity })
        }
        Rule::Adam => {
            let state = match state {
                Some(State::Adam(state)) => Some(AdamState::new(state)),
                _ => None,
            };
            let adam = AdamConfig::new().with_beta_1(BETA_1).with_beta_2(BETA_2).with_epsilon(EPSILON).build();
            let (value, state) = adam.step(learning_rate, value, gradient, state);
            (value, State::Adam(state.expect("Adam always has a state").momentum))
        }
    }
}

struct Update<'a> {
    optimizer: &'a mut Optimizer,
    gradients: &'a mut Gradients,
    learning_rate: f64,
}

impl ParameterMap for Update<'_> {
    fn map<const D: usize>(&mut self, name: &str, value: Tensor<D>) -> Tensor<D> {
        let Some(gradient) = value.grad_remove(self.gradients) else { return value };
        let shape = value.shape();
        let flat = value.without_autodiff().flatten(0, D - 1);
        let flat = self.optimizer.update(name, self.learning_rate, flat, gradient.flatten(0, D - 1));
        flat.reshape(shape).autodiff().require_grad()
    }
}
