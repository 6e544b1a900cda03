//! Opening the black box: which pixels an answer came from. One file a method, one trait.

pub mod gradient;

use burn::tensor::Device;

pub use gradient::Gradient;

use crate::error::Result;
use crate::model::Net;

/// What a net says to an image, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// The logits, `[10]`.
    pub logits: Vec<f32>,
    /// The class that is explained.
    pub target: usize,
    /// A signed value for each pixel, `[784]`, row-major.
    pub values: Vec<f32>,
}

/// A method of attribution.
#[allow(async_fn_in_trait)] // used within one thread, as browsers have it
pub trait Attribute {
    /// Explains the score of class `target`, of the predicted class when `None`.
    ///
    /// # Shapes
    /// - `image`: `[784]` f32, normalised
    ///
    /// # Errors
    /// [`crate::Error::WrongLength`], [`crate::Error::OutOfRange`] for a class that is not there,
    /// [`crate::Error::DeviceFailed`].
    async fn attribute(&self, net: &Net, image: &[f32], target: Option<usize>, device: &Device) -> Result<Attribution>;
}

/// The class with the largest logit, the first of equals.
#[must_use]
pub fn predicted(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = class;
        }
    }
    best
}
