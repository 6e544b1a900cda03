//! A number made of a tensor, with the gradient by that tensor found on the way: a loss, a score.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::{Values, is_ours, plain, tensor, tracked};

/// Mean cross-entropy; or `None` when Burn must do it.
///
/// # Shapes
/// - `logits`: `[n, classes]` f32
/// - `targets`: `[n, classes]` f32, each row the classes' true probabilities; no gradient goes there
/// - output: `[1]`
pub fn cross_entropy(logits: &Tensor<2>, targets: &Tensor<2>) -> Option<Tensor<1>> {
    let fits = targets.dims() == logits.dims() && is_ours(targets) && !targets.is_autodiff();
    let targets = Values::new(&plain::<Flex, 2>(targets).filter(|_| fits)?);
    let classes = logits.dims()[1];
    scalar(logits, |logits| mean_cross_entropy(logits, &targets, classes))
}

/// One value of a tensor, as a number that gradients can be asked of; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[1, classes]` f32
/// - output: `[1]`
pub fn pick(x: &Tensor<2>, class: usize) -> Option<Tensor<1>> {
    scalar(x, |x| {
        let mut gradient = vec![0.0; x.len()];
        gradient[class] = 1.0;
        (x[class], gradient)
    })
}

/// `f` gives the number and its gradient, as long as its input.
fn scalar(x: &Tensor<2>, f: impl FnOnce(&[f32]) -> (f32, Vec<f32>)) -> Option<Tensor<1>> {
    if !is_ours(x) {
        return None;
    }
    if !x.is_autodiff() {
        let (y, _) = f(&Values::new(&plain::<Flex, 2>(x)?));
        return Some(Tensor::from_primitive::<Flex>(tensor(vec![y], [1])));
    }
    let (x, node) = tracked::<Flex, 2>(x)?.into_parts();
    let prepared = Scalar.prepare::<NoCheckpointing>([node]).compute_bound().stateful();
    let (y, gradient) = f(&Values::new(&x));
    let y = tensor(vec![y], [1]);
    Some(Tensor::from_primitive::<Autodiff<Flex>>(match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(tensor(gradient, x.shape()), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }))
}

#[derive(Debug)]
struct Scalar;

impl Backward<Flex, 1> for Scalar {
    /// The gradient.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = Values::new(&gradients.consume::<Flex>(&ops.node))[0];
        if let [Some(node)] = ops.parents {
            let dx = Values::new(&ops.state).iter().map(|gradient| gradient * dy).collect();
            gradients.register::<Flex>(node.id, tensor(dx, ops.state.shape()));
        }
    }
}

/// A gradient by a logit, from which on it is none. Those of a sample that has long been learnt would make
/// all of its backward pass denormal, and processors are slow on such numbers; a softmax of f32 is rounded
/// by a billion times as much.
const NEGLIGIBLE: f32 = 1e-16;

/// `−1/n Σ t · log softmax(x)`, and its gradient `(softmax(x) Σt − t) / n`.
fn mean_cross_entropy(logits: &[f32], targets: &[f32], classes: usize) -> (f32, Vec<f32>) {
    #[allow(clippy::cast_precision_loss)] // a batch is far below 2²⁴
    let n = (logits.len() / classes) as f32;
    let mut loss = 0.0;
    let mut gradient = Vec::with_capacity(logits.len());
    for (x, t) in logits.chunks_exact(classes).zip(targets.chunks_exact(classes)) {
        // Less the largest, so that nothing overflows.
        let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (sum, total) =
            x.iter().zip(t).fold((0.0, 0.0), |(sum, total), (x, t)| (sum + (x - largest).exp(), total + t));
        let log_sum = sum.ln();
        for (x, t) in x.iter().zip(t) {
            let log_softmax = x - largest - log_sum;
            loss -= t * log_softmax;
            let by_logit = (log_softmax.exp() * total - t) / n;
            gradient.push(if by_logit.abs() < NEGLIGIBLE { 0.0 } else { by_logit }); // NaN stays
        }
    }
    (loss / n, gradient)
}
