//! Which Burn device computes, and whether it computes rightly.
//!
//! The only file that initialises a device. The CPU is Burn's Flex backend: pure Rust, SIMD, always
//! there. The GPU is Burn's WebGPU backend, in the `gpu` bundle only; before it is used, it must
//! agree with the CPU on one small forward and backward pass ([`crate::train::parity`]).

use std::fmt::Display;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Device, Tensor, TensorData, Transaction};
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
        #[cfg(target_arch = "wasm32")]
        run_constructors();
        // Natively there is no WebGPU, but Vulkan, Metal or Direct3D 12.
        let api = if cfg!(target_arch = "wasm32") { WgpuBackend::WebGpu } else { WgpuBackend::Auto };
        Device::wgpu_options().graphics_api(api).init_async().await
    })
    .await
    .cloned()
    .map_err(|error| Error::DeviceUnavailable { reason: error.to_string() })
}

/// Runs the module's constructors, of which CubeCL has thousands (crate `inventory`). To be called once.
///
/// In a module that does not call them, the linker (wasm-ld) takes it that each call from outside is the
/// only one, and has them all run again before it: also before those that wasm-bindgen's glue makes for
/// each object of WebGPU's. That was 15 ms a kernel, most of a training step (`docs/performance.md`).
#[cfg(all(feature = "gpu", target_arch = "wasm32"))]
fn run_constructors() {
    unsafe extern "C" {
        fn __wasm_call_ctors(); // made by the linker
    }
    // SAFETY: once, and before anything that they prepare is used.
    unsafe { __wasm_call_ctors() }
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

/// Puts values onto a device.
pub(crate) fn upload<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let data = TensorData::new(values, shape);
    if cfg!(feature = "gpu") && *device != Device::flex() {
        return Tensor::from_data(data, device);
    }
    // `from_data` converts, and so brings the conversion of every type to every other into the bundle.
    let tensor = Tensor::from_primitive::<Flex>(FlexTensor::from_data(data));
    match device.gradient_checkpointing_strategy() {
        Some(strategy) => tensor.autodiff().with_gradient_checkpointing_strategy(strategy),
        None => tensor,
    }
}

/// Reads tensors back to the host in one go, without blocking.
///
/// # Errors
/// [`Error::DeviceFailed`] when the device failed at any time since the last read.
pub(crate) async fn read(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f32>>> {
    let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let data = transaction.execute_async().await.map_err(failed)?;
    data.into_iter().map(|data| data.try_into_vec::<f32>().map_err(failed)).collect()
}
