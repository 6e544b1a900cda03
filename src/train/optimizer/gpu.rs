//! The rules on WebGPU, one kernel a parameter; the formulas are in `cpu.rs`.

use burn::optim::AdaptiveMomentumState;
use burn::tensor::Tensor;

use super::{BETA_1, BETA_2, Rule, State, without_bias};
use crate::kernels::gpu::{self, Adam};

/// The new value and state; or `None` for what is not on WebGPU.
///
/// # Shapes
/// - `value`, `gradient` and the state's tensors: `[N]`
pub fn step(
    rule: &Rule,
    learning_rate: f64,
    value: &Tensor<1>,
    gradient: &Tensor<1>,
    state: Option<&State>,
) -> Option<(Tensor<1>, State)> {
    #[allow(clippy::cast_possible_truncation)] // as Burn does with scalars
    let rate = learning_rate as f32;
    match rule {
        Rule::Sgd { momentum } => {
            let velocity = match state {
                Some(State::Sgd { velocity }) => Some(velocity),
                _ => None,
            };
            #[allow(clippy::cast_possible_truncation)]
            let [value, velocity] = gpu::sgd(value, gradient, velocity, *momentum as f32, rate)?;
            Some((value, State::Sgd { velocity }))
        }
        Rule::Adam => {
            let (time, moments) = match state {
                Some(State::Adam(state)) => (state.time + 1, Some([&state.moment_1, &state.moment_2])),
                _ => (1, None),
            };
            let (factor, epsilon) = without_bias(time);
            let constants = Adam { beta_1: BETA_1, beta_2: BETA_2, factor, epsilon, rate };
            let [value, moment_1, moment_2] = gpu::adam(value, gradient, moments, &constants)?;
            Some((value, State::Adam(AdaptiveMomentumState::new(time, moment_1, moment_2))))
        }
    }
}
