//! A linear layer as one operation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::{Kernel, Values, apply, is_ours, tensor};
use crate::kernels::linear::{self as kernel, Linear};

/// `x w + b`; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[n, inputs]` f32
/// - `w`: `[inputs, outputs]` f32, as Burn keeps it
/// - `b`: `[outputs]` f32
/// - output: `[n, outputs]`
pub fn linear(x: &Tensor<2>, w: &Tensor<2>, b: &Tensor<1>) -> Option<Tensor<2>> {
    affine(false, x, w, b)
}

/// `relu(x w + b)`; or `None` when Burn must do it. Shapes as of [`linear`].
pub fn linear_relu(x: &Tensor<2>, w: &Tensor<2>, b: &Tensor<1>) -> Option<Tensor<2>> {
    affine(true, x, w, b)
}

fn affine(relu: bool, x: &Tensor<2>, w: &Tensor<2>, b: &Tensor<1>) -> Option<Tensor<2>> {
    let ([n, inputs], [w_inputs, outputs], [biases]) = (x.dims(), w.dims(), b.dims());
    let fits = w_inputs == inputs && biases == outputs && is_ours(x) && is_ours(w) && is_ours(b);
    (fits && Linear { n, inputs, outputs }.supported()).then(|| apply(Affine { relu }, x, w, b))?
}

fn shape_of(x: &FlexTensor, w: &FlexTensor) -> Linear {
    let ([n, inputs], [_, outputs]) = (x.shape().dims::<2>(), w.shape().dims::<2>());
    Linear { n, inputs, outputs }
}

#[derive(Debug)]
struct Affine {
    relu: bool,
}

/// What the backward pass needs: the input, the weights and, where ReLU made it, the output.
type Saved = (FlexTensor, FlexTensor, Option<FlexTensor>);

impl Kernel<Flex> for Affine {
    fn forward(&self, x: FlexTensor, w: FlexTensor, b: &FlexTensor) -> (FlexTensor, Saved) {
        let s = shape_of(&x, &w);
        let mut y = kernel::forward(&s, &Values::new(&x), &Values::new(&w), &Values::new(b));
        if self.relu {
            y.iter_mut().for_each(|y| *y = if *y < 0.0 { 0.0 } else { *y }); // NaN stays
        }
        let y = tensor(y, [s.n, s.outputs]);
        (y.clone(), (x, w, self.relu.then_some(y)))
    }
}

impl Backward<Flex, 3> for Affine {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, w_node, b_node] = ops.parents; // none where no gradient is wanted
        let mut dy = Values::new(&gradients.consume::<Flex>(&ops.node)).to_vec();
        let (x, w, output) = ops.state;
        let s = shape_of(&x, &w);
        if let Some(y) = output.as_ref().map(Values::new) {
            dy.iter_mut().zip(y.iter()).for_each(|(dy, y)| *dy = if *y > 0.0 { *dy } else { 0.0 });
        }
        if let Some(node) = x_node {
            let dx = kernel::input_gradient(&s, &Values::new(&w), &dy);
            gradients.register::<Flex>(node.id, tensor(dx, [s.n, s.inputs]));
        }
        if w_node.is_none() && b_node.is_none() {
            return;
        }
        let (dw, db) = kernel::weight_gradient(&s, &Values::new(&x), &dy);
        if let Some(node) = w_node {
            gradients.register::<Flex>(node.id, tensor(dw, [s.inputs, s.outputs]));
        }
        if let Some(node) = b_node {
            gradients.register::<Flex>(node.id, tensor(db, [s.outputs]));
        }
    }
}
