//! The rules on the CPU, each in one pass over a parameter: to the bit what Burn's optimizers give in
//! several, but for denormal numbers.
//!
//! The weights of a unit that never fires again get no gradient, and their moments decay into denormal
//! numbers, on which processors are slow: over MNIST a third of the hidden units came to that, and
//! after 900 steps Adam's step took 33 ms for 0.9 (`docs/performance.md`). WebAssembly has no mode that
//! flushes them to zero, so it is done here. The weights do not see it: they are 30 orders of
//! magnitude larger.

use burn::optim::AdaptiveMomentumState;
use burn::tensor::Tensor;

use super::{BETA_1, BETA_2, Rule, State, without_bias};
use crate::device::upload;
use crate::kernels::in_place;

/// A step of `rule`; without a state, the first.
///
/// # Shapes
/// - `value`, `gradient`: `[N]`, on the CPU
pub fn step(
    rule: &Rule,
    learning_rate: f64,
    value: Tensor<1>,
    gradient: Tensor<1>,
    state: Option<State>,
) -> (Tensor<1>, State) {
    let [size] = value.dims();
    let zeros = || upload(vec![0.0; size], [size], &value.device());
    match rule {
        Rule::Sgd { momentum } => {
            let velocity = match state {
                Some(State::Sgd { velocity }) => velocity,
                _ => zeros(),
            };
            sgd(*momentum, learning_rate, value, gradient, velocity)
        }
        Rule::Adam => {
            let state = match state {
                Some(State::Adam(state)) => state,
                _ => AdaptiveMomentumState::new(0, zeros(), zeros()),
            };
            adam(learning_rate, value, gradient, state)
        }
    }
}

/// `v ← g + μ v`, `p ← p − η v`.
///
/// # Shapes
/// - `value`, `gradient`, `velocity`: `[N]`, on the CPU
///
/// # Source
/// `torch.optim.SGD`, without dampening, Nesterov's term or weight decay.
fn sgd(
    momentum: f64,
    learning_rate: f64,
    value: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Tensor<1>,
) -> (Tensor<1>, State) {
    #[allow(clippy::cast_possible_truncation)] // as Burn does with scalars
    let (momentum, rate) = (momentum as f32, learning_rate as f32);
    // The gradient is not needed any more: the new value takes its place.
    let [value, velocity] = in_place(value, [gradient, velocity], |values, [gradients, velocities]| {
        for ((value, gradient), velocity) in values.iter().zip(gradients).zip(velocities) {
            *velocity = flushed(*gradient + *velocity * momentum);
            *gradient = value - *velocity * rate;
        }
    });
    (value, State::Sgd { velocity })
}

/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `p ← p − η m̂ / (√v̂ + ε)`, where `m̂` and `v̂`
/// are the moments without their bias towards zero.
///
/// # Shapes
/// - `value`, `gradient` and the moments: `[N]`, on the CPU
///
/// # Source
/// Kingma and Ba: Adam, A Method for Stochastic Optimization (2015), algorithm 1, in the order of
/// operations that section 2 gives and Burn 0.22.1 has.
fn adam(
    learning_rate: f64,
    value: Tensor<1>,
    gradient: Tensor<1>,
    state: AdaptiveMomentumState<1>,
) -> (Tensor<1>, State) {
    let time = state.time + 1;
    #[allow(clippy::cast_possible_truncation)] // as Burn does with scalars
    let rate = learning_rate as f32;
    let (keep_1, keep_2) = (1.0 - BETA_1, 1.0 - BETA_2);
    let (factor, epsilon) = without_bias(time);
    // The gradient is not needed any more: the new value takes its place.
    let changed = [gradient, state.moment_1, state.moment_2];
    let [value, moment_1, moment_2] = in_place(value, changed, |values, [gradients, moments_1, moments_2]| {
        let moments = moments_1.iter_mut().zip(moments_2);
        for ((value, gradient), (moment_1, moment_2)) in values.iter().zip(gradients).zip(moments) {
            *moment_1 = flushed(*moment_1 * BETA_1 + *gradient * keep_1);
            *moment_2 = flushed(*moment_2 * BETA_2 + *gradient * *gradient * keep_2);
            *gradient = value - *moment_1 * factor / (moment_2.sqrt() + epsilon) * rate;
        }
    });
    (value, State::Adam(AdaptiveMomentumState::new(time, moment_1, moment_2)))
}

/// Zero for a denormal number.
#[inline(always)]
fn flushed(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::super::{Rule, by_burn};
    use super::*;

    fn values(tensor: Tensor<1>) -> Vec<u32> {
        tensor.into_data().try_into_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    }

    fn tensor(seed: f32) -> Tensor<1> {
        let values = (0..101).map(|i| (seed + i as f32 * 0.37).sin() * 10.0_f32.powi(i % 7 - 5)).collect::<Vec<_>>();
        Tensor::from_data(TensorData::new(values, [101]), &Device::flex())
    }

    fn moments(state: State) -> Vec<Vec<u32>> {
        match state {
            State::Sgd { velocity } => vec![values(velocity)],
            State::Adam(state) => vec![vec![state.time as u32], values(state.moment_1), values(state.moment_2)],
        }
    }

    /// Five steps from the state after Burn's first.
    fn compare(rule: &Rule, step: impl Fn(f64, Tensor<1>, Tensor<1>, State) -> (Tensor<1>, State)) {
        let (mut value, mut state) = by_burn(rule, 0.01, tensor(1.0), tensor(2.0), None);
        for i in 0..5 {
            let (rate, gradient) = (0.01 / f64::from(i + 1), tensor(3.0 + i as f32));
            let (want, want_state) = by_burn(rule, rate, value.clone(), gradient.clone(), Some(state.clone()));
            let (before, held) = (value.clone(), moments(state.clone()));
            let (got, got_state) = step(rate, value, gradient, state.clone());
            assert_eq!(values(got.clone()), values(want));
            assert_eq!(moments(got_state.clone()), moments(want_state));
            assert_ne!(values(got.clone()), values(before));
            assert_eq!(moments(state), held, "a state that is held elsewhere stays");
            (value, state) = (got, got_state);
        }
    }

    #[test]
    fn sgd_is_burns_to_the_bit() {
        for momentum in [0.9, 0.0] {
            compare(&Rule::Sgd { momentum }, |rate, value, gradient, state| match state {
                State::Sgd { velocity } => sgd(momentum, rate, value, gradient, velocity),
                State::Adam(_) => unreachable!(),
            });
        }
    }

    #[test]
    fn adam_is_burns_to_the_bit() {
        compare(&Rule::Adam, |rate, value, gradient, state| match state {
            State::Adam(state) => adam(rate, value, gradient, state),
            State::Sgd { .. } => unreachable!(),
        });
    }

    #[test]
    fn moments_do_not_decay_into_denormal_numbers() {
        let of = |value: f32| Tensor::<1>::from_floats([value, -value, value], &Device::flex());
        let zero = || of(0.0);
        let small = 1.1 * f32::MIN_POSITIVE;
        let state = AdaptiveMomentumState::new(9, of(small), of(small));
        let (_, state) = adam(0.001, zero(), zero(), state);
        // β₁ is 0.9, β₂ 0.999: the first falls below the smallest normal number, the second does not.
        let State::Adam(state) = state else { unreachable!() };
        assert_eq!(values(state.moment_1), [0; 3]);
        assert_eq!(values(state.moment_2), values(of(small * BETA_2)));
        let (_, state) = sgd(0.5, 0.001, zero(), zero(), of(small));
        assert_eq!(moments(state), [[0; 3]]);
    }
}
