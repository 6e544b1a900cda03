//! A [`ModelSpec`] made into Burn modules.

mod forward;

use burn::module::{Param, ParamId};
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::spec::{LayerKind, ModelSpec};
use crate::device;
use crate::error::{Error, Result};
use crate::store::safetensors::{self, NamedTensor};

/// A net on a device. With an autodiff device its parameters collect gradients.
#[derive(Debug, Clone)]
pub struct Net {
    spec: ModelSpec,
    layers: Vec<Layer>,
}

#[derive(Debug, Clone)]
enum Layer {
    Conv2d(String, Conv2d),
    Relu,
    MaxPool2d(MaxPool2d),
    Flatten,
    Linear(String, Linear),
}

/// Something done to every parameter of a net, in order, by PyTorch's name.
pub trait ParameterMap {
    /// Takes a parameter and gives what takes its place, of the same shape.
    fn map<const D: usize>(&mut self, name: &str, value: Tensor<D>) -> Tensor<D>;
}

impl Net {
    /// A net with fresh weights: PyTorch's default initialisation, `U(−1/√fan_in, 1/√fan_in)` for
    /// weights and biases. The same seed gives the same weights on every device.
    ///
    /// # Errors
    /// Those of [`ModelSpec::shapes`].
    ///
    /// # Source
    /// `torch.nn.Linear` and `torch.nn.Conv2d`, `reset_parameters`: Kaiming uniform with `a = √5`
    /// (He et al., 2015), which comes to the bounds above.
    pub fn init(spec: &ModelSpec, seed: u64, device: &Device) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bound = 0.0;
        let tensors: Vec<_> = spec
            .parameters()
            .into_iter()
            .enumerate()
            .map(|(i, (name, shape))| {
                if name.ends_with(".weight") {
                    let fan_in: usize = shape[1..].iter().product();
                    #[allow(clippy::cast_precision_loss)] // far below 2²⁴
                    let root = (fan_in as f32).sqrt();
                    bound = 1.0 / root;
                }
                rng.set_stream(i as u64); // a parameter's values depend on its place alone
                rng.set_word_pos(0);
                let count = shape.iter().product();
                let values = (0..count).map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound).collect();
                NamedTensor { name, shape, values }
            })
            .collect();
        Self::from_tensors(spec, &tensors, device)
    }

    /// A net with given weights, in PyTorch's names and layouts.
    ///
    /// # Errors
    /// Those of [`ModelSpec::shapes`] and [`safetensors::check`].
    pub fn from_tensors(spec: &ModelSpec, tensors: &[NamedTensor], device: &Device) -> Result<Self> {
        spec.shapes()?;
        safetensors::check(tensors, &spec.parameters())?;
        let find = |layer: &str, part: &str| {
            let name = format!("{layer}.{part}");
            tensors.iter().find(|tensor| tensor.name == name).expect("checked above")
        };
        let bias = |layer: &str, count: usize| {
            Some(parameter(device::upload(find(layer, "bias").values.clone(), [count], device)))
        };
        let layers = spec
            .layers
            .iter()
            .map(|layer| match layer.kind {
                LayerKind::Conv2d { in_channels, out_channels, kernel_size } => {
                    let shape = [out_channels, in_channels, kernel_size, kernel_size];
                    let weight = device::upload(find(&layer.name, "weight").values.clone(), shape, device);
                    Layer::Conv2d(
                        layer.name.clone(),
                        Conv2d {
                            weight: parameter(weight),
                            bias: bias(&layer.name, out_channels),
                            stride: [1, 1],
                            kernel_size: [kernel_size; 2],
                            dilation: [1, 1],
                            groups: 1,
                            padding: PaddingConfig2d::Valid,
                        },
                    )
                }
                LayerKind::Relu => Layer::Relu,
                LayerKind::MaxPool2d { kernel_size } => {
                    Layer::MaxPool2d(MaxPool2dConfig::new([kernel_size; 2]).with_strides([kernel_size; 2]).init())
                }
                LayerKind::Flatten => Layer::Flatten,
                LayerKind::Linear { in_features, out_features } => {
                    // Burn keeps [in, out], PyTorch [out, in].
                    let values = transposed(&find(&layer.name, "weight").values, out_features, in_features);
                    let weight = parameter(device::upload(values, [in_features, out_features], device));
                    Layer::Linear(layer.name.clone(), Linear { weight, bias: bias(&layer.name, out_features) })
                }
            })
            .collect();
        Ok(Self { spec: spec.clone(), layers })
    }

    /// What the net is made of.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The same net without autodiff: for inference, and for gradients by the input alone.
    #[must_use]
    pub fn without_autodiff(&self) -> Self {
        struct Inner;
        impl ParameterMap for Inner {
            fn map<const D: usize>(&mut self, _: &str, value: Tensor<D>) -> Tensor<D> {
                value.without_autodiff()
            }
        }
        let mut net = self.clone();
        net.map(&mut Inner);
        net
    }

    /// Puts `map` of each parameter in its place.
    pub fn map(&mut self, map: &mut impl ParameterMap) {
        for layer in &mut self.layers {
            match layer {
                Layer::Conv2d(name, conv) => {
                    conv.weight = parameter(map.map(&format!("{name}.weight"), conv.weight.val()));
                    if let Some(bias) = &mut conv.bias {
                        *bias = parameter(map.map(&format!("{name}.bias"), bias.val()));
                    }
                }
                Layer::Linear(name, linear) => {
                    linear.weight = parameter(map.map(&format!("{name}.weight"), linear.weight.val()));
                    if let Some(bias) = &mut linear.bias {
                        *bias = parameter(map.map(&format!("{name}.bias"), bias.val()));
                    }
                }
                Layer::Relu | Layer::MaxPool2d(_) | Layer::Flatten => {}
            }
        }
    }

    /// Every parameter read back to the host, in PyTorch's names and layouts.
    ///
    /// # Errors
    /// [`crate::Error::DeviceFailed`] when the device failed.
    pub async fn tensors(&self) -> Result<Vec<NamedTensor>> {
        struct Collect(Vec<Tensor<1>>);
        impl ParameterMap for Collect {
            fn map<const D: usize>(&mut self, _: &str, value: Tensor<D>) -> Tensor<D> {
                self.0.push(value.clone().without_autodiff().flatten(0, D - 1));
                value
            }
        }
        let mut collect = Collect(Vec::new());
        self.clone().map(&mut collect);
        let values = device::read(collect.0).await?;
        Ok(self.named(values))
    }

    /// Names and PyTorch's layouts for values in the order and layout of [`Net::map`].
    #[must_use]
    pub fn named(&self, values: Vec<Vec<f32>>) -> Vec<NamedTensor> {
        self.spec
            .parameters()
            .into_iter()
            .zip(values)
            .map(|((name, shape), values)| {
                let values = match shape[..] {
                    [out, input] => transposed(&values, input, out),
                    _ => values,
                };
                NamedTensor { name, shape, values }
            })
            .collect()
    }
}

/// Puts images onto a device.
///
/// # Shapes
/// - `images`: `[B, 784]` f32, normalised, row-major
/// - output: `[B, 1, 28, 28]`
///
/// # Errors
/// [`Error::Empty`] or [`Error::WrongLength`].
pub fn images_on(images: Vec<f32>, device: &Device) -> Result<Tensor<4>> {
    let count = images.len() / 784;
    if count == 0 {
        return Err(Error::Empty { what: "batch" });
    }
    if images.len() != count * 784 {
        return Err(Error::WrongLength { what: "images", expected: count * 784, got: images.len() });
    }
    Ok(device::upload(images, [count, 1, 28, 28], device))
}

fn parameter<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    let value = if value.is_autodiff() && !value.is_require_grad() { value.require_grad() } else { value };
    Param::initialized(ParamId::new(), value)
}

/// A row-major `[rows, columns]` matrix as `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for row in 0..rows {
        for column in 0..columns {
            out[column * rows + row] = values[row * columns + column];
        }
    }
    out
}
