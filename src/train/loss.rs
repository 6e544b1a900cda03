//! The loss.

use burn::tensor::{Tensor, activation};

use crate::kernels::{self, or_burn};

/// Mean cross-entropy of a batch.
///
/// # Shapes
/// - `logits`: `[B, classes]` f32
/// - `targets`: `[B, classes]` f32, 1 for an image's class, 0 for the others
/// - output: `[1]` f32, the mean over the batch
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    or_burn(kernels::cross_entropy(&logits, &targets), || {
        let [count, _] = logits.dims();
        (activation::log_softmax(logits, 1) * targets).sum().mul_scalar(-1.0 / count as f64)
    })
}
