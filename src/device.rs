//! Which Burn device computes, and whether it computes rightly.
//!
//! The only file that initialises a device. The CPU is Burn's Flex backend: pure Rust, SIMD, always
//! there. The GPU is Burn's WebGPU backend, in the `gpu` bundle only; before it is used, it must
//! agree with the CPU on one small forward and backward pass ([`parity`]).

use std::fmt::Display;

use burn::tensor::{Device, Tensor, Transaction};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor: Burn's Flex backend.
    Cpu,
    /// The graphics processor: Burn's WebGPU backend.
    Gpu,
}

impl DeviceKind {
    /// Initialises the device. A second call in the same thread gives the same device.
    ///
    /// # Errors
    /// [`Error::DeviceUnavailable`] when this bundle has no GPU engine, or the browser no WebGPU.
    pub async fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Gpu => open_gpu().await,
        }
    }
}

#[cfg(feature = "gpu")]
async fn open_gpu() -> Result<Device> {
    use burn::tensor::wgpu::WgpuBackend;
    // A runtime can be initialised once only, so that a second engine takes what is there.
    static GPU: async_lock::OnceCell<Device> = async_lock::OnceCell::new();
    GPU.get_or_try_init(|| async {
        Device::wgpu_options().graphics_api(WgpuBackend::WebGpu).init_async().await
    })
    .await
    .cloned()
    .map_err(|error| Error::DeviceUnavailable { reason: error.to_string() })
}

#[cfg(not(feature = "gpu"))]
#[allow(clippy::unused_async)] // the same signature as with the feature
async fn open_gpu() -> Result<Device> {
    Err(Error::DeviceUnavailable { reason: "this bundle holds the CPU engine alone".into() })
}

/// Turns what a device says into the crate's error.
pub(crate) fn failed(error: impl Display) -> Error {
    Error::DeviceFailed { reason: error.to_string() }
}

/// Reads tensors back to the host in one go, without blocking.
///
/// # Errors
/// [`Error::DeviceFailed`] when the device failed at any time since the last read.
pub(crate) async fn read(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f32>>> {
    let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let data = transaction.execute_async().await.map_err(failed)?;
    data.into_iter().map(|data| data.into_vec::<f32>().map_err(failed)).collect()
}

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
    let error = difference.sqrt() / norm.sqrt().max(f64::MIN_POSITIVE);
    if error.is_finite() { error } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

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
