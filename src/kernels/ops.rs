//! The kernels as Burn operations with their own backward pass, on the CPU's backend (Flex).
//!
//! Each gives `None` where it does not apply, and the caller goes on with Burn's own operations:
//! nothing here computes on another device.

mod conv;
mod linear;
mod scalar;
#[cfg(test)]
mod tests;

use std::ops::Deref;

use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Bytes, DType, DispatchKindConversion, DispatchTensor};
use burn::tensor::{Device, Shape, Tensor};

pub use conv::{conv_relu, conv_relu_pool};
pub use linear::{linear, linear_relu};
pub use scalar::{cross_entropy, pick};

/// An operation on an input, weights and a bias.
pub trait Kernel<B: Backend>: Backward<B, 3> {
    /// The output, and what the backward pass needs.
    fn forward(&self, x: FloatTensor<B>, w: FloatTensor<B>, b: &FloatTensor<B>) -> (FloatTensor<B>, Self::State);
}

/// Records `kernel` where any operand is under autodiff, else computes alone. `None` when an operand
/// is not on the backend, or under gradient checkpointing, which is not supported.
pub fn apply<B, K, const D: usize>(kernel: K, x: &Tensor<D>, w: &Tensor<D>, b: &Tensor<1>) -> Option<Tensor<D>>
where
    B: Backend,
    K: Kernel<B>,
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B>>,
{
    if !(x.is_autodiff() || w.is_autodiff() || b.is_autodiff()) {
        let (y, _) = kernel.forward(plain::<B, D>(x)?, plain::<B, D>(w)?, &plain::<B, 1>(b)?);
        return Some(Tensor::from_primitive::<B>(y));
    }
    let ((x, x_node), (w, w_node), (b, b_node)) =
        (tracked::<B, D>(x)?.into_parts(), tracked::<B, D>(w)?.into_parts(), tracked::<B, 1>(b)?.into_parts());
    let (y, state) = kernel.forward(x, w, &b);
    let prepared = kernel.prepare::<NoCheckpointing>([x_node, w_node, b_node]).compute_bound().stateful();
    Some(Tensor::from_primitive::<Autodiff<B>>(match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(state, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }))
}

fn plain<B: Backend, const D: usize>(tensor: &Tensor<D>) -> Option<FloatTensor<B>>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    tensor.clone().try_into_primitive::<B>().ok()
}

/// What is not under autodiff comes in as a constant.
fn tracked<B: Backend, const D: usize>(tensor: &Tensor<D>) -> Option<FloatTensor<Autodiff<B>>>
where
    DispatchTensor: DispatchKindConversion<Autodiff<B>>,
{
    tensor.clone().autodiff().try_into_primitive::<Autodiff<B>>().ok()
}

/// Whether a tensor holds `f32` on the CPU. Asked before anything is done with it.
pub fn is_ours<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && tensor.device().without_autodiff() == Device::flex()
}

/// A tensor of the values.
fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}

/// The values of a tensor that [`is_ours`], one after another; copied only where they are not so.
struct Values(FlexTensor);

impl Values {
    fn new(tensor: &FlexTensor) -> Self {
        Self(tensor.to_contiguous())
    }
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_slice().expect("one run of f32, as `new` made it")
    }
}
