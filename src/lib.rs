//! Train a neural network in the browser and look inside it.
//!
//! One crate on Burn does all the learning. Data moves one way; each module knows those to its left
//! and none to its right:
//!
//! ```text
//! IDX bytes → data → train ⇄ model → lab → wasm → the page's workers
//!                      ↘ eval  ↗  ↑
//! strokes → ink → image → explain ┘
//!                      store ↔ safetensors bytes
//! ```
//!
//! The same code runs natively and in the browser, on Burn's Flex backend (CPU) and on WebGPU (with
//! the feature `gpu`): tensors carry their device at run time, and only [`device`] makes one. On the
//! CPU, the model's layers run through `kernels`, which know nothing of models.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | `B` | images of a batch |
//! | `N` | images of a dataset's split |
//! | image | `[28, 28]` bytes, row-major; 0 is background, 255 is full ink |
//! | normalised | `(x / 255 − mean) / std`, with the dataset's mean and standard deviation |
//! | logits | `[B, 10]` f32, the class scores before softmax |
//! | loss | mean cross-entropy of a batch, in nats |
//! | step | one batch forward, backward, and one update of the parameters |
//! | epoch | every training image once |
//! | saliency | `∂S_c/∂I`: the gradient of a class score by the normalised pixels |
//! | `…_ms`, `…_bytes` | milliseconds, bytes |

pub mod data;
pub mod device;
pub mod error;
pub mod eval;
pub mod explain;
pub mod ink;
mod kernels;
pub mod lab;
pub mod model;
pub mod store;
pub mod train;
#[cfg(target_arch = "wasm32")]
mod wasm;

pub use error::{Error, Result};
