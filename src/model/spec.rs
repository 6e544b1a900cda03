//! What a net is made of, as data that can be stored, sent and shown.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A net: its input and its layers, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSpec {
    /// What the net is called.
    pub name: String,
    /// Shape of one input: `[channels, rows, columns]`.
    pub input: [usize; 3],
    /// The layers, from the input to the logits.
    pub layers: Vec<LayerSpec>,
}

/// One layer and its name, which is PyTorch's where it has parameters (`conv1`, `fc1`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerSpec {
    /// Name of the layer, unique in the net.
    pub name: String,
    /// What the layer does.
    pub kind: LayerKind,
}

/// What a layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LayerKind {
    /// A 2-D convolution with a square kernel, stride 1 and no padding.
    Conv2d {
        /// Channels in.
        in_channels: usize,
        /// Channels out.
        out_channels: usize,
        /// Rows and columns of the kernel.
        kernel_size: usize,
    },
    /// `max(x, 0)`.
    Relu,
    /// The maximum of each square window, with the window's size as stride.
    MaxPool2d {
        /// Rows and columns of the window.
        kernel_size: usize,
    },
    /// All but the batch into one dimension, in the order channels, rows, columns.
    Flatten,
    /// `x·Wᵀ + b`.
    Linear {
        /// Features in.
        in_features: usize,
        /// Features out.
        out_features: usize,
    },
}

impl LayerKind {
    /// The layer's kind in the field's words.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "Conv2d",
            Self::Relu => "ReLU",
            Self::MaxPool2d { .. } => "MaxPool2d",
            Self::Flatten => "Flatten",
            Self::Linear { .. } => "Linear",
        }
    }

    /// Shape of one output for one input of shape `input` (without the batch).
    ///
    /// # Errors
    /// A sentence when the layer cannot take that shape.
    pub fn output_shape(&self, input: &[usize]) -> std::result::Result<Vec<usize>, String> {
        match (*self, input) {
            (Self::Conv2d { in_channels, out_channels, kernel_size }, &[c, h, w]) => {
                if c != in_channels {
                    return Err(format!("takes {in_channels} channels, gets {c}"));
                }
                if kernel_size == 0 || h < kernel_size || w < kernel_size || out_channels == 0 {
                    return Err(format!("a {kernel_size}×{kernel_size} kernel does not fit into {h}×{w}"));
                }
                Ok(vec![out_channels, h - kernel_size + 1, w - kernel_size + 1])
            }
            (Self::MaxPool2d { kernel_size }, &[c, h, w]) => {
                if kernel_size == 0 || h < kernel_size || w < kernel_size {
                    return Err(format!("a {kernel_size}×{kernel_size} window does not fit into {h}×{w}"));
                }
                Ok(vec![c, h / kernel_size, w / kernel_size])
            }
            (Self::Relu, shape) => Ok(shape.to_vec()),
            (Self::Flatten, shape) => Ok(vec![shape.iter().product()]),
            (Self::Linear { in_features, out_features }, &[features]) => {
                if features != in_features {
                    return Err(format!("takes {in_features} features, gets {features}"));
                }
                if out_features == 0 {
                    return Err("has no outputs".into());
                }
                Ok(vec![out_features])
            }
            (_, shape) => Err(format!("cannot take an input of shape {shape:?}")),
        }
    }

    /// Shapes of weight and bias in PyTorch's layout; none for a layer without parameters.
    #[must_use]
    pub fn parameter_shapes(&self) -> Option<[Vec<usize>; 2]> {
        match *self {
            Self::Conv2d { in_channels, out_channels, kernel_size } => {
                Some([vec![out_channels, in_channels, kernel_size, kernel_size], vec![out_channels]])
            }
            Self::Linear { in_features, out_features } => Some([vec![out_features, in_features], vec![out_features]]),
            _ => None,
        }
    }
}

impl ModelSpec {
    /// Shape of each layer's output, without the batch.
    ///
    /// # Errors
    /// [`Error::SpecInvalid`] when a layer does not fit the one before it, or the net does not end
    /// in a vector of logits.
    pub fn shapes(&self) -> Result<Vec<Vec<usize>>> {
        let mut shape = self.input.to_vec();
        let mut shapes = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let invalid = |reason| Error::SpecInvalid { layer: layer.name.clone(), reason };
            if self.layers[..i].iter().any(|other| other.name == layer.name) {
                return Err(invalid("another layer has the same name".into()));
            }
            shape = layer.kind.output_shape(&shape).map_err(invalid)?;
            shapes.push(shape.clone());
        }
        if shape.len() != 1 {
            let layer = self.layers.last().map_or_else(|| "(none)".into(), |l| l.name.clone());
            return Err(Error::SpecInvalid { layer, reason: "the net must end in a vector of logits".into() });
        }
        Ok(shapes)
    }

    /// Name and shape of every parameter, as PyTorch's `state_dict` has them.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        self.layers
            .iter()
            .filter_map(|layer| Some((&layer.name, layer.kind.parameter_shapes()?)))
            .flat_map(|(name, [weight, bias])| [(format!("{name}.weight"), weight), (format!("{name}.bias"), bias)])
            .collect()
    }
}
