//! Fast convolutions, pooling and linear layers for the CPU; and tensors changed in place.
//!
//! Burn's Flex backend spends four fifths of a training step laying images out for products of
//! matrices, and in those products. The kernels here read images where they lie, and the largest of
//! them does less than half of the products (`docs/performance.md`). They are plain functions on
//! slices; [`ops`] makes Burn operations of them, each with its own backward pass.
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
mod in_place;
mod linear;
#[cfg(test)]
pub mod naive;
mod ops;
mod simd;
mod tile;
mod winograd;

pub use in_place::{changeable, in_place};
pub use ops::{conv_relu, conv_relu_pool, linear};
