//! Nets that come with the crate.

use super::spec::{LayerKind, LayerSpec, ModelSpec};

/// The lecture's net: 1,199,882 parameters.
///
/// # Source
/// The convolutional part of PyTorch's MNIST example, without its dropout.
#[must_use]
pub fn lecture() -> ModelSpec {
    cnn("lecture", [32, 64, 128])
}

/// The lecture's net with other widths: channels of the two convolutions, and units of the hidden
/// linear layer. For tests and the parity probe.
#[must_use]
pub fn cnn(name: &str, [conv1, conv2, hidden]: [usize; 3]) -> ModelSpec {
    let layer = |name: &str, kind| LayerSpec { name: name.into(), kind };
    ModelSpec {
        name: name.into(),
        input: [1, 28, 28],
        layers: vec![
            layer("conv1", LayerKind::Conv2d { in_channels: 1, out_channels: conv1, kernel_size: 3 }),
            layer("relu1", LayerKind::Relu),
            layer("conv2", LayerKind::Conv2d { in_channels: conv1, out_channels: conv2, kernel_size: 3 }),
            layer("relu2", LayerKind::Relu),
            layer("pool", LayerKind::MaxPool2d { kernel_size: 2 }),
            layer("flatten", LayerKind::Flatten),
            layer("fc1", LayerKind::Linear { in_features: conv2 * 12 * 12, out_features: hidden }),
            layer("relu3", LayerKind::Relu),
            layer("fc2", LayerKind::Linear { in_features: hidden, out_features: 10 }),
        ],
    }
}
