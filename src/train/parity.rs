//! The parity probe: whether a device computes what the CPU computes.
//!
//! Browsers, drivers and shader compilers have bugs that no feature test shows. So before a GPU is
//! trained on, one small forward and backward pass must come out as on the CPU.

use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::loss::cross_entropy;
use super::trainer::Batch;
use crate::device;
use crate::error::Result;
use crate::model::{Net, ParameterMap, presets};

/// How well a device agrees with the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parity {
    /// Whether the device may be used.
    pub ok: bool,
    /// The largest relative L2 error among logits, loss and gradients.
    pub max_relative_error: f64,
}

/// The largest relative L2 error that a device may show against the CPU.
pub const PARITY_TOLERANCE: f64 = 1e-3;

/// Compares one forward and backward pass of the lecture's net on `device` with the CPU's: of two images, so
/// that it is little work, but by the programs that training takes, which are then compiled already.
///
/// # Errors
/// [`crate::Error::DeviceFailed`] when the device fails on the way.
pub async fn parity(device: &Device) -> Result<Parity> {
    let want = pass(&Device::flex()).await?;
    let got = pass(device).await?;
    let errors = got.iter().zip(&want).map(|(got, want)| relative_error(got, want));
    let max_relative_error = errors.fold(0.0, f64::max);
    Ok(Parity { ok: max_relative_error <= PARITY_TOLERANCE, max_relative_error })
}

/// Logits, loss and the gradient of each parameter, for weights and images that never change.
async fn pass(device: &Device) -> Result<Vec<Vec<f32>>> {
    struct Collect<'a>(&'a mut burn::tensor::Gradients, Vec<Tensor<1>>);
    impl ParameterMap for Collect<'_> {
        fn map<const D: usize>(&mut self, _: &str, value: Tensor<D>) -> Tensor<D> {
            if let Some(gradient) = value.grad_remove(self.0) {
                self.1.push(gradient.flatten(0, D - 1));
            }
            value
        }
    }
    let mut net = Net::init(&presets::lecture(), 1, &device.clone().autodiff())?;
    #[allow(clippy::cast_precision_loss)] // small whole numbers
    let pixels = (0..2 * 784).map(|i| (i * 37 % 101) as f32 / 50.0 - 0.4).collect();
    let batch = Batch::new(pixels, &[3, 8], device)?;
    let logits = net.forward(batch.images);
    let loss = cross_entropy(logits.clone(), batch.targets);
    let mut gradients = loss.backward();
    let mut collect = Collect(&mut gradients, Vec::new());
    net.map(&mut collect);
    let mut tensors = vec![logits.without_autodiff().flatten(0, 1), loss.without_autodiff()];
    tensors.append(&mut collect.1);
    device::read(tensors).await
}

/// Relative L2 error of `got` against `want`: `‖got − want‖ / ‖want‖`. Infinite when any value is
/// not finite or the lengths differ.
#[must_use]
pub fn relative_error(got: &[f32], want: &[f32]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let (mut difference, mut norm) = (0.0_f64, 0.0_f64);
    for (&g, &w) in got.iter().zip(want) {
        difference += (f64::from(g) - f64::from(w)).powi(2);
        norm += f64::from(w).powi(2);
    }
    if difference == 0.0 {
        return 0.0;
    }
    let error = (difference / norm).sqrt();
    if error.is_finite() { error } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_agrees_with_itself() {
        let same = futures_lite::future::block_on(parity(&Device::flex())).unwrap();
        assert_eq!(same, Parity { ok: true, max_relative_error: 0.0 });
        // And the pass has something to compare: logits, loss and eight gradients, none of them blank.
        let pass = futures_lite::future::block_on(pass(&Device::flex())).unwrap();
        assert_eq!(pass.len(), 10);
        assert!(pass.iter().all(|values| values.iter().any(|&value| value != 0.0)));
    }

    #[test]
    fn relative_error_is_that_of_the_norms() {
        assert_eq!(relative_error(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
        assert!((relative_error(&[3.0, 4.5], &[3.0, 4.0]) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_finite_or_not_as_long_is_never_near() {
        assert_eq!(relative_error(&[f32::NAN], &[1.0]), f64::INFINITY);
        assert_eq!(relative_error(&[1.0], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(relative_error(&[1.0], &[0.0]), f64::INFINITY);
    }
}
