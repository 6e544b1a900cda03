//! An optimizer's step over a parameter in one pass. Nothing is changed in place: the values from
//! before are held elsewhere, to go back to.

use burn::backend::wgpu::CubeTensor;

use super::launch::{EACH, Interface, Program, bits, empty, launch};
use super::product::element;

/// Workgroups of a row of the grid: WebGPU takes 65,535 of them at most.
const ROW: usize = 32_768;

/// `v ← g + μ v`, `p ← p − η v`: the new value and velocity.
pub fn sgd(
    value: &CubeTensor,
    gradient: &CubeTensor,
    velocity: Option<&CubeTensor>,
    momentum: f32,
    rate: f32,
) -> [CubeTensor; 2] {
    let out = [empty(value, value.meta.shape().clone()), empty(value, value.meta.shape().clone())];
    let count = value.meta.shape().num_elements();
    // Before the first step there is no velocity: the gradient is there in its place, times zero.
    let momentum = if velocity.is_some() { momentum } else { 0.0 };
    let numbers = [bits(invocations(count)), momentum.to_bits(), rate.to_bits()];
    let read = [value, gradient, velocity.unwrap_or(gradient)];
    launch(Sgd { element: element(count) }, grid(count), &read, &[&out[0], &out[1]], &numbers);
    out
}

/// Adam's constants of a step.
pub struct Adam {
    pub beta_1: f32,
    pub beta_2: f32,
    /// `√(1 − β₂ᵗ) / (1 − β₁ᵗ)`, which frees the moments of their bias towards zero.
    pub factor: f32,
    /// `ε √(1 − β₂ᵗ)`.
    pub epsilon: f32,
    pub rate: f32,
}

/// The new value and moments.
pub fn adam(
    value: &CubeTensor,
    gradient: &CubeTensor,
    moments: Option<[&CubeTensor; 2]>,
    constants: &Adam,
) -> [CubeTensor; 3] {
    let out = [(); 3].map(|()| empty(value, value.meta.shape().clone()));
    let count = value.meta.shape().num_elements();
    let kept = if moments.is_some() { [constants.beta_1, constants.beta_2] } else { [0.0; 2] };
    let [moment_1, moment_2] = moments.unwrap_or([gradient; 2]);
    let added = [1.0 - constants.beta_1, 1.0 - constants.beta_2];
    let floats =
        [kept[0], kept[1], added[0], added[1], constants.factor, constants.epsilon, constants.rate].map(f32::to_bits);
    let mut numbers = vec![bits(invocations(count))];
    numbers.extend(floats);
    let read = [value, gradient, moment_1, moment_2];
    launch(AdamStep { element: element(count) }, grid(count), &read, &[&out[0], &out[1], &out[2]], &numbers);
    out
}

/// An invocation does four values where they are a number of fours.
fn invocations(count: usize) -> usize {
    if count.is_multiple_of(4) { count / 4 } else { count }
}

fn grid(count: usize) -> [usize; 3] {
    let groups = invocations(count).div_ceil(EACH);
    [groups.min(ROW), groups.div_ceil(ROW), 1]
}

/// The head of a program that does element `i`.
fn text(body: &str) -> String {
    format!(
        "@compute @workgroup_size({EACH})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {{
  let i = (group.y * {ROW}u + group.x) * {EACH}u + thread;
  if (i >= numbers[0].x) {{ return; }}
{body}
}}
"
    )
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sgd {
    element: &'static str,
}

impl Program for Sgd {
    fn interface(&self) -> Interface {
        Interface {
            read: vec![("value", self.element), ("gradient", self.element), ("velocity", self.element)],
            written: vec![("new_value", self.element), ("new_velocity", self.element)],
            numbers: true,
        }
    }

    fn threads(&self) -> u32 {
        EACH as u32
    }

    fn text(&self) -> String {
        text(
            "  let v = gradient[i] + bitcast<f32>(numbers[0].y) * velocity[i];
  new_velocity[i] = v;
  new_value[i] = value[i] - bitcast<f32>(numbers[0].z) * v;",
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AdamStep {
    element: &'static str,
}

impl Program for AdamStep {
    fn interface(&self) -> Interface {
        Interface {
            read: vec![
                ("value", self.element),
                ("gradient", self.element),
                ("moment_1", self.element),
                ("moment_2", self.element),
            ],
            written: vec![("new_value", self.element), ("new_moment_1", self.element), ("new_moment_2", self.element)],
            numbers: true,
        }
    }

    fn threads(&self) -> u32 {
        EACH as u32
    }

    fn text(&self) -> String {
        text(
            "  let kept = bitcast<vec2<f32>>(numbers[0].yz);
  let added = vec2(bitcast<f32>(numbers[0].w), bitcast<f32>(numbers[1].x));
  let factor = bitcast<f32>(numbers[1].y);
  let epsilon = bitcast<f32>(numbers[1].z);
  let rate = bitcast<f32>(numbers[1].w);
  let g = gradient[i];
  let m = kept.x * moment_1[i] + added.x * g;
  let v = kept.y * moment_2[i] + added.y * g * g;
  new_moment_1[i] = m;
  new_moment_2[i] = v;
  new_value[i] = value[i] - rate * (m * factor / (sqrt(v) + epsilon));",
        )
    }
}
