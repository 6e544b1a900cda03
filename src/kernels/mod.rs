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
//! What they do not take — another device, element type or shape — is left to Burn ([`or_burn`]).

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
pub use ops::{conv_relu, conv_relu_pool, cross_entropy, linear, linear_relu, pick};

/// What a kernel gave, or what Burn's own operations give.
///
/// # Panics
/// Where there is no kernel and, without the feature `fallback`, no operation of Burn's either.
pub fn or_burn<T>(kernel: Option<T>, burn: impl FnOnce() -> T) -> T {
    match kernel {
        Some(value) => value,
        None if cfg!(feature = "fallback") => burn(),
        None => panic!("without the feature `fallback`, nets like the lecture's on the CPU alone"),
    }
}
