//! The forward pass: layer by layer, or several in one where there is a kernel for them.

use burn::tensor::{Tensor, activation};

use super::{Layer, Net};
use crate::kernels::{self, or_burn};

impl Net {
    /// The logits of a batch. Runs of layers are computed in one by the crate's own kernels where those
    /// take them, else by Burn's modules.
    ///
    /// # Shapes
    /// - `images`: `[B, 1, 28, 28]` f32, normalised
    /// - output: `[B, 10]` f32, logits
    ///
    /// # Panics
    /// Where a layer has no kernel and the crate was built without the feature `fallback`.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        let mut maps = images;
        let mut features: Option<Tensor<2>> = None;
        let mut layers = self.layers.as_slice();
        while let [layer, rest @ ..] = layers {
            if let Some(x) = features.take() {
                let (x, rest) = fused_linear(layers, &x).unwrap_or_else(|| (or_burn(None, || flat(layer, x)), rest));
                (features, layers) = (Some(x), rest);
            } else if let Layer::Flatten = layer {
                let width = maps.dims()[1..].iter().product::<usize>();
                (features, layers) = (Some(maps.clone().reshape([batch, width])), rest);
            } else {
                (maps, layers) = match fused_conv(layers, &maps) {
                    Some(fused) => fused,
                    None => (or_burn(None, || spatial(layer, maps)), rest),
                };
            }
        }
        features.unwrap_or_else(|| maps.reshape([batch as i32, -1]))
    }
}

/// One layer on maps, by Burn.
fn spatial(layer: &Layer, maps: Tensor<4>) -> Tensor<4> {
    match layer {
        Layer::Conv2d(_, conv) => conv.forward(maps),
        Layer::MaxPool2d(pool) => pool.forward(maps),
        Layer::Relu => activation::relu(maps),
        Layer::Flatten | Layer::Linear(..) => unreachable!("refused by `ModelSpec::shapes`"),
    }
}

/// One layer on features, by Burn.
fn flat(layer: &Layer, x: Tensor<2>) -> Tensor<2> {
    match layer {
        Layer::Linear(_, linear) => linear.forward(x),
        Layer::Relu => activation::relu(x),
        Layer::Flatten => x,
        Layer::Conv2d(..) | Layer::MaxPool2d(_) => unreachable!("refused by `ModelSpec::shapes`"),
    }
}

/// What the kernels make of the first layers in one, and the layers after those. `None` where the
/// first layer must be applied alone.
fn fused_conv<'a>(layers: &'a [Layer], maps: &Tensor<4>) -> Option<(Tensor<4>, &'a [Layer])> {
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

/// As [`fused_conv`], for features.
fn fused_linear<'a>(layers: &'a [Layer], x: &Tensor<2>) -> Option<(Tensor<2>, &'a [Layer])> {
    let [Layer::Linear(_, linear), rest @ ..] = layers else { return None };
    let (weight, bias) = (linear.weight.val(), linear.bias.as_ref()?.val());
    if let [Layer::Relu, rest @ ..] = rest {
        return Some((kernels::linear_relu(x, &weight, &bias)?, rest));
    }
    Some((kernels::linear(x, &weight, &bias)?, rest))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::kernels::naive::{assert_near, wide};
    use crate::model::{LayerKind, LayerSpec, ModelSpec, ParameterMap, presets};

    /// The kernels do not take tensors under gradient checkpointing: there, all is Burn's.
    fn devices() -> [Device; 2] {
        [Device::flex().autodiff(), Device::flex().autodiff().gradient_checkpointing()]
    }

    fn images(count: usize, device: &Device) -> Tensor<4> {
        // A drawing on a plain background, which has windows with several maxima.
        let value = |i: usize| if i % 784 / 28 < 9 { -0.4242 } else { (i * 37 % 101) as f32 / 50.0 - 0.4 };
        let values: Vec<f32> = (0..count * 784).map(value).collect();
        Tensor::from_data(TensorData::new(values, [count, 1, 28, 28]), device)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.without_autodiff().into_data().try_into_vec().unwrap()
    }

    /// Logits, and the gradients of a score by every parameter.
    fn pass(spec: &ModelSpec, count: usize, device: &Device) -> Vec<Vec<f32>> {
        struct Collect<'a>(&'a burn::tensor::Gradients, Vec<Vec<f32>>);
        impl ParameterMap for Collect<'_> {
            fn map<const D: usize>(&mut self, _: &str, value: Tensor<D>) -> Tensor<D> {
                self.1.push(values(value.grad(self.0).unwrap()));
                value
            }
        }
        let mut net = Net::init(spec, 1, device).unwrap();
        let logits = net.forward(images(count, device));
        let gradients = logits.clone().square().sum().backward();
        let mut collect = Collect(&gradients, vec![values(logits)]);
        net.map(&mut collect);
        collect.1
    }

    /// The lecture's net, and nets whose layers the kernels take only in part or not at all.
    fn specs() -> Vec<ModelSpec> {
        let with = |change: fn(&mut Vec<LayerSpec>)| {
            let mut spec = presets::cnn("changed", [4, 8, 16]);
            change(&mut spec.layers);
            let shape = spec.layers[..5].iter().fold(vec![1, 28, 28], |shape, l| l.kind.output_shape(&shape).unwrap());
            spec.layers[6].kind = LayerKind::Linear { in_features: shape.iter().product(), out_features: 16 };
            spec
        };
        vec![
            presets::lecture(),
            presets::cnn("odd", [3, 5, 7]),
            with(|layers| layers[0].kind = LayerKind::Conv2d { in_channels: 1, out_channels: 4, kernel_size: 5 }),
            with(|layers| layers[4].kind = LayerKind::MaxPool2d { kernel_size: 3 }),
            with(|layers| layers.swap(3, 4)),
        ]
    }

    #[test]
    fn the_kernels_give_what_burns_modules_give() {
        for spec in specs() {
            for count in [1, 3, 6] {
                let [ours, burns] = devices().map(|device| pass(&spec, count, &device));
                assert_eq!(ours.len(), 9);
                for (i, (ours, burns)) in ours.iter().zip(&burns).enumerate() {
                    assert_near(&format!("{:?}, {count} images, {i}", spec.layers), ours, &wide(burns), 1e-5);
                }
            }
        }
    }

    /// As for a saliency map: one image, and the weights are constants.
    #[test]
    fn the_inputs_gradient_is_burns() {
        for spec in specs() {
            let net = Net::init(&spec, 1, &Device::flex()).unwrap();
            let [ours, burns] = devices().map(|device| {
                let image = images(1, &device).require_grad();
                let score = net.forward(image.clone()).slice([0..1, 3..4]).sum();
                values(image.grad(&score.backward()).unwrap())
            });
            assert_near(&format!("{:?}", spec.layers), &ours, &wide(&burns), 1e-5);
        }
    }

    #[test]
    fn the_two_ways_are_two() {
        // Rounding tells: else the tests above compared Burn with itself.
        let [ours, burns] = devices().map(|device| pass(&presets::lecture(), 6, &device));
        assert_ne!(ours, burns);
    }
}
