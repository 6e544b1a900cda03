//! The kernels for WebGPU, as Burn operations with their own backward pass.
//!
//! Burn computes a convolution's gradient by its weights as a convolution with kernels as large as the
//! images, and a step in more than a hundred small kernels, each of which is compiled on the first one
//! (`docs/performance.md`). Here a step is 29, of twenty programs.
//!
//! ```text
//! launch → product → conv, linear ─→ ops → model::Net
//!        ↘ loss, update ───────────↗
//! ```

mod conv;
mod launch;
mod linear;
mod loss;
mod ops;
mod product;
#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
mod update;

pub use ops::{adam, conv_relu, conv_relu_pool, cross_entropy, linear, pick, sgd};
pub use update::Adam;
