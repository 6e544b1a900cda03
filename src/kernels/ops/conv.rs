//! Convolution and ReLU, with or without max pooling, in one operation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::{Kernel, Values, apply, is_ours, tensor};
use crate::kernels::conv::{Conv, ConvGradients, Wanted};
use crate::kernels::{direct, winograd};

/// `relu(conv2d(x, w) + b)`, without padding, stride 1; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]` f32
/// - `w`: `[co, ci, 3, 3]` f32
/// - `b`: `[co]` f32
/// - output: `[n, co, h − 2, w − 2]`
pub fn conv_relu(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Option<Tensor<4>> {
    direct::supported(&shape(x, w, b)?).then(|| apply(ConvRelu, x, w, b))?
}

/// `max_pool2d(relu(conv2d(x, w) + b))`, windows of 2×2, stride 2; or `None` when Burn must do it.
/// The gradient goes back to the first of a window's largest, and not at all where ReLU gives zero.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]` f32
/// - `w`: `[co, ci, 3, 3]` f32
/// - `b`: `[co]` f32
/// - output: `[n, co, (h − 2) / 2, (w − 2) / 2]`
pub fn conv_relu_pool(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Option<Tensor<4>> {
    winograd::supported(&shape(x, w, b)?).then(|| apply(ConvReluPool, x, w, b))?
}

/// The shape, where the operands fit one another and are ours.
fn shape(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Option<Conv> {
    let ([n, ci, h, width], [co, kernel_ci, 3, 3], [biases]) = (x.dims(), w.dims(), b.dims()) else { return None };
    let fits = kernel_ci == ci && biases == co && is_ours(x) && is_ours(w) && is_ours(b);
    fits.then_some(Conv { n, ci, co, h, w: width })
}

fn shape_of(x: &FlexTensor, w: &FlexTensor) -> Conv {
    let ([n, ci, h, width], [co, ..]) = (x.shape().dims::<4>(), w.shape().dims::<4>());
    Conv { n, ci, co, h, w: width }
}

#[derive(Debug)]
struct ConvRelu;

#[derive(Debug)]
struct ConvReluPool;

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Saved {
    x: FlexTensor,
    w: FlexTensor,
    /// The output, or for a pooled one where it came from.
    output: FlexTensor,
}

impl Kernel<Flex> for ConvRelu {
    fn forward(&self, x: FlexTensor, w: FlexTensor, b: &FlexTensor) -> (FlexTensor, Saved) {
        let s = shape_of(&x, &w);
        let y = direct::forward(&s, &Values::new(&x), &Values::new(&w), &Values::new(b));
        let y = tensor(y, [s.n, s.co, s.oh(), s.ow()]);
        (y.clone(), Saved { x, w, output: y })
    }
}

impl Backward<Flex, 3> for ConvRelu {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        backward(ops, gradients, direct::backward);
    }
}

impl Kernel<Flex> for ConvReluPool {
    fn forward(&self, x: FlexTensor, w: FlexTensor, b: &FlexTensor) -> (FlexTensor, Saved) {
        let s = shape_of(&x, &w);
        let pooled = winograd::forward(&s, &Values::new(&x), &Values::new(&w), &Values::new(b));
        let shape = [s.n, s.co, s.oh() / 2, s.ow() / 2];
        (tensor(pooled.y, shape), Saved { x, w, output: tensor(pooled.from, shape) })
    }
}

impl Backward<Flex, 3> for ConvReluPool {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        backward(ops, gradients, winograd::backward);
    }
}

/// Shape, input, weights, saved output and its gradient to the gradients.
type BackwardKernel = fn(&Conv, &[f32], &[f32], &[f32], &[f32], Wanted) -> ConvGradients;

fn backward(ops: Ops<Saved, 3>, gradients: &mut Gradients, kernel: BackwardKernel) {
    let [x_node, w_node, b_node] = ops.parents; // none where no gradient is wanted
    let dy = Values::new(&gradients.consume::<Flex>(&ops.node));
    let Saved { x, w, output } = ops.state;
    let s = shape_of(&x, &w);
    let wanted = Wanted { x: x_node.is_some(), w: w_node.is_some() };
    let found = kernel(&s, &Values::new(&x), &Values::new(&w), &Values::new(&output), &dy, wanted);
    if let (Some(node), Some(dx)) = (x_node, found.x) {
        gradients.register::<Flex>(node.id, tensor(dx, [s.n, s.ci, s.h, s.w]));
    }
    if let (Some(node), Some(dw)) = (w_node, found.w) {
        gradients.register::<Flex>(node.id, tensor(dw, [s.co, s.ci, 3, 3]));
    }
    if let Some(node) = b_node {
        gradients.register::<Flex>(node.id, tensor(found.b, [s.co]));
    }
}
