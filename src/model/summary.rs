//! What a net costs: shapes, parameters and multiply-adds of each layer.

use serde::Serialize;

use super::spec::{LayerKind, ModelSpec};
use crate::error::Result;

/// A net's layers with their costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    /// The net's name.
    pub name: String,
    /// Parameters in all.
    pub parameters: usize,
    /// Multiply-adds of one forward pass of one image, in all.
    pub multiply_adds: usize,
    /// The layers in order.
    pub layers: Vec<LayerSummary>,
}

/// One layer's costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerSummary {
    /// The layer's name.
    pub name: String,
    /// Its kind, in the field's words.
    pub kind: &'static str,
    /// Shape of its output, without the batch.
    pub output_shape: Vec<usize>,
    /// Its parameters.
    pub parameters: usize,
    /// Its multiply-adds for one image.
    pub multiply_adds: usize,
}

impl ModelSummary {
    /// Sums up `spec`.
    ///
    /// # Errors
    /// Those of [`ModelSpec::shapes`].
    pub fn new(spec: &ModelSpec) -> Result<Self> {
        let layers: Vec<_> = spec
            .layers
            .iter()
            .zip(spec.shapes()?)
            .map(|(layer, output_shape)| {
                let outputs: usize = output_shape.iter().product();
                let multiply_adds = match layer.kind {
                    LayerKind::Conv2d { in_channels, kernel_size, .. } => {
                        outputs * in_channels * kernel_size * kernel_size
                    }
                    LayerKind::Linear { in_features, .. } => outputs * in_features,
                    _ => 0,
                };
                let parameters = layer
                    .kind
                    .parameter_shapes()
                    .map_or(0, |shapes| shapes.iter().map(|s| s.iter().product::<usize>()).sum());
                LayerSummary {
                    name: layer.name.clone(),
                    kind: layer.kind.title(),
                    output_shape,
                    parameters,
                    multiply_adds,
                }
            })
            .collect();
        Ok(Self {
            name: spec.name.clone(),
            parameters: layers.iter().map(|l| l.parameters).sum(),
            multiply_adds: layers.iter().map(|l| l.multiply_adds).sum(),
            layers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::model::presets;

    #[test]
    fn the_lecture_net_has_the_parameters_that_pytorch_counts() {
        let summary = ModelSummary::new(&presets::lecture()).unwrap();
        assert_eq!(summary.parameters, 1_199_882);
        let by_layer: Vec<_> = summary.layers.iter().map(|l| (l.name.as_str(), l.parameters)).collect();
        assert_eq!(by_layer[0], ("conv1", 320));
        assert_eq!(by_layer[2], ("conv2", 18_496));
        assert_eq!(by_layer[6], ("fc1", 1_179_776));
        assert_eq!(by_layer[8], ("fc2", 1_290));
        assert_eq!(summary.layers[4].output_shape, [64, 12, 12]);
        // 26²·32·9 + 24²·64·32·9 + 9216·128 + 128·10
        assert_eq!(summary.multiply_adds, 194_688 + 10_616_832 + 1_179_648 + 1_280);
    }

    #[test]
    fn a_net_whose_layers_do_not_fit_is_refused_by_name() {
        let mut spec = presets::lecture();
        spec.layers[6].kind = LayerKind::Linear { in_features: 9215, out_features: 128 };
        let error = ModelSummary::new(&spec).unwrap_err();
        assert!(matches!(&error, Error::SpecInvalid { layer, .. } if layer == "fc1"), "{error}");
        assert!(error.to_string().contains("9215") && error.to_string().contains("9216"));
    }

    #[test]
    fn two_layers_of_one_name_are_refused() {
        let mut spec = presets::lecture();
        spec.layers[2].name = "conv1".into();
        assert_eq!(ModelSummary::new(&spec).unwrap_err().code(), "spec_invalid");
    }
}
