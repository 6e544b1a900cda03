//! The forward pass: layer by layer, or several in one where there is a kernel for them.

use burn::nn::Linear;
use burn::tensor::{Tensor, activation};

use super::{Layer, Net};
use crate::kernels;

impl Net {
    /// The logits of a batch. On the CPU, runs of layers are computed in one by the crate's own kernels
    /// where those take them; everywhere else by Burn's modules.
    ///
    /// # Shapes
    /// - `images`: `[B, 1, 28, 28]` f32, normalised
    /// - output: `[B, 10]` f32, logits
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        let mut maps = images;
        let mut features: Option<Tensor<2>> = None;
        let mut layers = self.layers.as_slice();
        while let [layer, rest @ ..] = layers {
            if features.is_none()
                && let Some((fused, rest)) = fused(layers, &maps)
            {
                (maps, layers) = (fused, rest);
                continue;
            }
            layers = rest;
            match (layer, features.take()) {
                (Layer::Conv2d(_, conv), None) => maps = conv.forward(maps),
                (Layer::MaxPool2d(pool), None) => maps = pool.forward(maps),
                (Layer::Relu, None) => maps = activation::relu(maps),
                (Layer::Relu, Some(x)) => features = Some(activation::relu(x)),
                (Layer::Linear(_, linear), Some(x)) => features = Some(apply(linear, x)),
                (Layer::Flatten, None) => {
                    let width = maps.dims()[1..].iter().product::<usize>();
                    features = Some(maps.clone().reshape([batch, width]));
                }
                // `ModelSpec::shapes` lets no other order through.
                (_, x) => features = x,
            }
        }
        features.unwrap_or_else(|| maps.reshape([batch as i32, -1]))
    }
}

/// What the kernels make of the first layers in one, and the layers after those. `None` where the
/// first layer must be applied alone.
fn fused<'a>(layers: &'a [Layer], maps: &Tensor<4>) -> Option<(Tensor<4>, &'a [Layer])> {
    let [Layer::Conv2d(_, conv), Layer::Relu, rest @ ..] = layers else { return None };
    let (weight, bias) = (conv.weight.val(), conv.bias.as_ref()?.val());
    if let [Layer::MaxPool2d(pool), rest @ ..] = rest
        && pool.kernel_size == [2, 2]
        && let Some(maps) = kernels::conv_relu_pool(maps, &weight, &bias)
    {
        return Some((maps, rest));
    }
    Some((kernels::conv_relu(maps, &weight, &bias)?, rest))
}

fn apply(linear: &Linear, x: Tensor<2>) -> Tensor<2> {
    let fast = linear.bias.as_ref().and_then(|bias| kernels::linear(&x, &linear.weight.val(), &bias.val()));
    fast.unwrap_or_else(|| linear.forward(x))
}
