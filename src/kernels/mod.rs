//! Fast convolutions, pooling and linear layers, on the CPU and on WebGPU; and an optimizer's step.
//!
//! Burn's Flex backend spends four fifths of a training step laying images out for products of
//! matrices, and in those products. The kernels here read images where they lie, and the largest of
//! them does less than half of the products (`docs/performance.md`). They are plain functions on
//! slices; [`ops`] makes Burn operations of them, each with its own backward pass.
//!
//! ```text
//! simd → tile → direct ──→ ops ─┬→ model::Net
//!            ↘ winograd ↗       │
//!            ↘ linear ──↗  gpu ─┘
//! ```
//!
//! `gpu` holds those for WebGPU. What neither takes — another element type or shape — is left to Burn
//! ([`or_burn`]).

mod conv;
mod direct;
#[cfg(feature = "gpu")]
pub mod gpu;
mod in_place;
mod linear;
#[cfg(test)]
pub mod naive;
mod ops;
mod simd;
mod tile;
mod winograd;

use burn::tensor::Tensor;

pub use in_place::{changeable, in_place};

/// `relu(conv2d(x, w) + b)`, without padding, stride 1; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]` f32
/// - `w`: `[co, ci, k, k]` f32
/// - `b`: `[co]` f32
/// - output: `[n, co, h + 1 − k, w + 1 − k]`
pub fn conv_relu(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Option<Tensor<4>> {
    #[cfg(feature = "gpu")]
    if let Some(y) = gpu::conv_relu(x, w, b) {
        return Some(y);
    }
    ops::conv_relu(x, w, b)
}

/// `max_pool2d(relu(conv2d(x, w) + b))`, windows of 2×2, stride 2; or `None` when Burn must do it.
/// The gradient goes back to the first of a window's largest, and not at all where ReLU gives zero.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]` f32
/// - `w`: `[co, ci, k, k]` f32
/// - `b`: `[co]` f32
/// - output: `[n, co, (h + 1 − k) / 2, (w + 1 − k) / 2]`, rounded down
pub fn conv_relu_pool(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Option<Tensor<4>> {
    #[cfg(feature = "gpu")]
    if let Some(y) = gpu::conv_relu_pool(x, w, b) {
        return Some(y);
    }
    ops::conv_relu_pool(x, w, b)
}

/// `x w + b`; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[n, inputs]` f32
/// - `w`: `[inputs, outputs]` f32, as Burn keeps it
/// - `b`: `[outputs]` f32
/// - output: `[n, outputs]`
pub fn linear(x: &Tensor<2>, w: &Tensor<2>, b: &Tensor<1>) -> Option<Tensor<2>> {
    #[cfg(feature = "gpu")]
    if let Some(y) = gpu::linear(x, w, b, false) {
        return Some(y);
    }
    ops::linear(x, w, b)
}

/// `relu(x w + b)`; or `None` when Burn must do it.
///
/// # Shapes
/// Those of [`linear`](fn@linear).
pub fn linear_relu(x: &Tensor<2>, w: &Tensor<2>, b: &Tensor<1>) -> Option<Tensor<2>> {
    #[cfg(feature = "gpu")]
    if let Some(y) = gpu::linear(x, w, b, true) {
        return Some(y);
    }
    ops::linear_relu(x, w, b)
}

/// Mean cross-entropy of a batch; or `None` when Burn must do it.
///
/// # Shapes
/// - `logits`: `[B, classes]` f32
/// - `targets`: `[B, classes]` f32, each row the classes' true probabilities; no gradient goes there
/// - output: `[1]` f32
pub fn cross_entropy(logits: &Tensor<2>, targets: &Tensor<2>) -> Option<Tensor<1>> {
    #[cfg(feature = "gpu")]
    if let Some(loss) = gpu::cross_entropy(logits, targets) {
        return Some(loss);
    }
    ops::cross_entropy(logits, targets)
}

/// One score of an image, as a number that gradients can be asked of; or `None` when Burn must do it.
///
/// # Shapes
/// - `scores`: `[1, classes]` f32
/// - output: `[1]` f32
pub fn pick(scores: &Tensor<2>, class: usize) -> Option<Tensor<1>> {
    #[cfg(feature = "gpu")]
    if let Some(score) = gpu::pick(scores, class) {
        return Some(score);
    }
    ops::pick(scores, class)
}

/// What a kernel gave, or what Burn's own operations give.
///
/// # Panics
/// Where there is no kernel and, without the feature `fallback`, no operation of Burn's either.
pub fn or_burn<T>(kernel: Option<T>, burn: impl FnOnce() -> T) -> T {
    match kernel {
        Some(value) => value,
        None if cfg!(feature = "fallback") => burn(),
        None => panic!("the crate was built for nets like the lecture's, without the feature `fallback`"),
    }
}
