//! The loss.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Int, Tensor};

use crate::kernels;

/// Mean cross-entropy of a batch.
///
/// # Shapes
/// - `logits`: `[B, classes]` f32
/// - `labels`: `[B]` int, each in `0..classes`
/// - output: `[1]` f32, the mean over the batch
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    if let Some(loss) = kernels::cross_entropy(&logits, &labels) {
        return loss;
    }
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, labels)
}
