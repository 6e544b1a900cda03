//! Saliency: the gradient of a class score with respect to the pixels.

use burn::tensor::{Device, Tensor};

use super::{Attribute, Attribution, predicted};
use crate::device;
use crate::error::{Error, Result};
use crate::kernels::{self, or_burn};
use crate::model::{Net, images_on};

/// `E(I₀) = ∂S_c/∂I` at `I₀`: the gradient of class `c`'s score, the logit before softmax, with
/// respect to the (normalised) pixels. Signed; its absolute value is the usual saliency map.
///
/// # Source
/// Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks (2013), section 3.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gradient;

impl Attribute for Gradient {
    async fn attribute(&self, net: &Net, image: &[f32], target: Option<usize>, device: &Device) -> Result<Attribution> {
        if image.len() != 784 {
            return Err(Error::WrongLength { what: "image", expected: 784, got: image.len() });
        }
        // The weights are constants here: only the path to the input is recorded.
        let net = net.without_autodiff();
        let input = images_on(image.to_vec(), device)?.autodiff().require_grad();
        let scores = net.forward(input.clone());
        let classes = scores.dims()[1];
        let (logits, target) = match target {
            Some(target) if target >= classes => {
                return Err(Error::OutOfRange { what: "class", index: target, count: classes });
            }
            Some(target) => (None, target),
            None => {
                let logits = read_row(&scores).await?;
                let target = predicted(&logits);
                (Some(logits), target)
            }
        };
        let row = scores.clone().without_autodiff();
        let score = or_burn(kernels::pick(&scores, target), || scores.clone().slice([0..1, target..target + 1]).sum());
        let gradients = score.backward();
        let gradient =
            input.grad(&gradients).ok_or_else(|| Error::DeviceFailed { reason: "the input has no gradient".into() })?;
        let values = gradient.flatten(0, 3);
        let (logits, values) = match logits {
            Some(logits) => (logits, device::read(vec![values]).await?.remove(0)),
            None => {
                let mut read = device::read(vec![row.flatten(0, 1), values]).await?;
                (read.remove(0), read.remove(0))
            }
        };
        Ok(Attribution { logits, target, values })
    }
}

async fn read_row(scores: &Tensor<2>) -> Result<Vec<f32>> {
    Ok(device::read(vec![scores.clone().without_autodiff().flatten(0, 1)]).await?.remove(0))
}
