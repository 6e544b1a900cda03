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
use burn::backend::{Autodiff, Bytes, DType, Flex};
use burn::tensor::{Device, Shape, Tensor};

pub use conv::{conv_relu, conv_relu_pool};
pub use linear::{linear, linear_relu};
pub use scalar::{cross_entropy, pick};

/// An operation on an input, weights and a bias.
trait Kernel: Backward<Flex, 3> {
    /// The output, and what the backward pass needs.
    fn forward(&self, x: FlexTensor, w: FlexTensor, b: &FlexTensor) -> (FlexTensor, Self::State);
}

/// Records `kernel` where any operand is under autodiff, else computes alone. `None` when an operand
/// is not on Flex, or under gradient checkpointing, which is not supported.
fn apply<K: Kernel, const D: usize>(kernel: K, x: &Tensor<D>, w: &Tensor<D>, b: &Tensor<1>) -> Option<Tensor<D>> {
    if !(x.is_autodiff() || w.is_autodiff() || b.is_autodiff()) {
        let (y, _) = kernel.forward(plain(x)?, plain(w)?, &plain(b)?);
        return Some(Tensor::from_primitive::<Flex>(y));
    }
    let ((x, x_node), (w, w_node), (b, b_node)) =
        (tracked(x)?.into_parts(), tracked(w)?.into_parts(), tracked(b)?.into_parts());
    let (y, state) = kernel.forward(x, w, &b);
    let prepared = kernel.prepare::<NoCheckpointing>([x_node, w_node, b_node]).compute_bound().stateful();
    Some(Tensor::from_primitive::<Autodiff<Flex>>(match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(state, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }))
}

fn plain<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    tensor.clone().try_into_primitive::<Flex>().ok()
}

/// What is not under autodiff comes in as a constant.
fn tracked<const D: usize>(tensor: &Tensor<D>) -> Option<FloatTensor<Autodiff<Flex>>> {
    tensor.clone().autodiff().try_into_primitive::<Autodiff<Flex>>().ok()
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
