//! Fast convolutions, pooling and linear layers for the CPU.
//!
//! Burn's Flex backend spends nine tenths of a training step in products of matrices that its
//! convolution lays out anew, image by image, in both directions. The kernels here read images where
//! they lie, and do less than half of the products (`docs/performance.md`). They are plain functions
//! on slices; [`ops`] makes Burn operations of them, each with its own backward pass.
//!
//! ```text
//! simd → tile → direct ──→ ops → model::Net
//!            ↘ winograd ↗
//!            ↘ linear ──↗
//! ```
//!
//! What they do not take — another device, element type or shape — is left to Burn.

mod conv;
mod direct;
mod linear;
#[cfg(test)]
mod naive;
mod ops;
mod simd;
mod tile;
mod winograd;

pub use ops::{conv_relu, conv_relu_pool, linear};
