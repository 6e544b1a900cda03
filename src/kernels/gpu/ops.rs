//! The kernels as Burn operations. Each gives `None` for what is not `f32` on WebGPU, and under
//! gradient checkpointing.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::wgpu::CubeTensor;
use burn::backend::{Autodiff, DType, Wgpu};
use burn::tensor::Tensor;
use burn_cubecl::kernel::into_contiguous;

use super::conv::{self, Conv};
use super::launch::ROW_MAX;
use super::linear::{self as affine, Linear};
use super::loss;
use super::update::{self, Adam};
use crate::kernels::ops::{Kernel, apply};

/// `relu(conv2d(x, w) + b)`, without padding, stride 1; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]` f32
/// - `w`: `[co, ci, k, k]` f32, `k ≤ h, w`
/// - `b`: `[co]` f32
/// - output: `[n, co, h + 1 − k, w + 1 − k]`
pub fn conv_relu(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Option<Tensor<4>> {
    convolve(x, w, b, false)
}

/// `max_pool2d(relu(conv2d(x, w) + b))`, windows of 2×2, stride 2; or `None` when Burn must do it.
/// The gradient goes back to the first of a window's largest, and not at all where ReLU gives zero.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]` f32
/// - `w`: `[co, ci, k, k]` f32, `k < h, w`
/// - `b`: `[co]` f32
/// - output: `[n, co, (h + 1 − k) / 2, (w + 1 − k) / 2]`, rounded down
pub fn conv_relu_pool(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Option<Tensor<4>> {
    convolve(x, w, b, true)
}

fn convolve(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>, pool: bool) -> Option<Tensor<4>> {
    let ([n, ci, h, width], [co, kernel_ci, kernel, across], [biases]) = (x.dims(), w.dims(), b.dims());
    let least = kernel + usize::from(pool);
    let fits = kernel_ci == ci && biases == co && kernel == across && kernel > 0 && h >= least && width >= least;
    // What one launch does; no image of a real net is near it.
    let small =
        n <= 65_535 && co * (h + kernel) * (width + kernel) <= ROW_MAX && co * (ci * kernel * kernel + 1) <= ROW_MAX;
    let ours = is_ours(x) && is_ours(w) && is_ours(b);
    (fits && small && ours).then(|| apply(Convolution(Conv { ci, co, h, w: width, kernel, pool }), x, w, b))?
}

/// `x w + b`, through ReLU where `relu`; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[n, inputs]` f32
/// - `w`: `[inputs, outputs]` f32, as Burn keeps it
/// - `b`: `[outputs]` f32
/// - output: `[n, outputs]`
pub fn linear(x: &Tensor<2>, w: &Tensor<2>, b: &Tensor<1>, relu: bool) -> Option<Tensor<2>> {
    let ([n, inputs], [w_inputs, outputs], [biases]) = (x.dims(), w.dims(), b.dims());
    let fits = w_inputs == inputs && biases == outputs && n * outputs <= ROW_MAX;
    let ours = is_ours(x) && is_ours(w) && is_ours(b);
    (fits && ours).then(|| apply(Affine { s: Linear { n, inputs, outputs }, relu }, x, w, b))?
}

/// Mean cross-entropy of a batch; or `None` when Burn must do it.
///
/// # Shapes
/// - `logits`, `targets`: `[B, classes]` f32
/// - output: `[1]` f32
pub fn cross_entropy(logits: &Tensor<2>, targets: &Tensor<2>) -> Option<Tensor<1>> {
    let fits = targets.dims() == logits.dims() && logits.shape().num_elements() <= ROW_MAX;
    if !(fits && is_ours(logits) && is_ours(targets)) {
        return None;
    }
    let targets = into_contiguous(targets.clone().without_autodiff().try_into_primitive::<Wgpu>().ok()?);
    number(logits, |logits| loss::forward(&logits, &targets))
}

/// One value of a tensor, as a number that gradients can be asked of; or `None` when Burn must do it.
///
/// # Shapes
/// - `x`: `[1, classes]` f32
/// - output: `[1]` f32
pub fn pick(x: &Tensor<2>, class: usize) -> Option<Tensor<1>> {
    (is_ours(x) && class < x.dims()[1]).then(|| number(x, |x| loss::pick(&x, class)))?
}

/// `f` gives a number and its gradient.
fn number(x: &Tensor<2>, f: impl FnOnce(CubeTensor) -> [CubeTensor; 2]) -> Option<Tensor<1>> {
    if !x.is_autodiff() {
        let [y, _] = f(into_contiguous(x.clone().try_into_primitive::<Wgpu>().ok()?));
        return Some(Tensor::from_primitive::<Wgpu>(y));
    }
    let (x, node) = x.clone().try_into_primitive::<Autodiff<Wgpu>>().ok()?.into_parts();
    let prepared = Number.prepare::<NoCheckpointing>([node]).compute_bound().stateful();
    let [y, gradient] = f(into_contiguous(x));
    Some(Tensor::from_primitive::<Autodiff<Wgpu>>(match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(gradient, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }))
}

/// A step of SGD with momentum: the new value and velocity; or `None` when Burn must do it.
///
/// # Shapes
/// - all: `[N]` f32
pub fn sgd(
    value: &Tensor<1>,
    gradient: &Tensor<1>,
    velocity: Option<&Tensor<1>>,
    momentum: f32,
    rate: f32,
) -> Option<[Tensor<1>; 2]> {
    let [value, gradient] = [plain(value)?, plain(gradient)?];
    let velocity = match velocity {
        Some(velocity) => Some(plain(velocity)?),
        None => None,
    };
    Some(update::sgd(&value, &gradient, velocity.as_ref(), momentum, rate).map(Tensor::from_primitive::<Wgpu>))
}

/// A step of Adam: the new value and moments; or `None` when Burn must do it.
///
/// # Shapes
/// - all: `[N]` f32
pub fn adam(
    value: &Tensor<1>,
    gradient: &Tensor<1>,
    moments: Option<[&Tensor<1>; 2]>,
    constants: &Adam,
) -> Option<[Tensor<1>; 3]> {
    let [value, gradient] = [plain(value)?, plain(gradient)?];
    let moments = match moments {
        Some([first, second]) => Some([plain(first)?, plain(second)?]),
        None => None,
    };
    let moments = moments.as_ref().map(|[first, second]| [first, second]);
    Some(update::adam(&value, &gradient, moments, constants).map(Tensor::from_primitive::<Wgpu>))
}

fn plain(tensor: &Tensor<1>) -> Option<CubeTensor> {
    let tensor = is_ours(tensor).then(|| tensor.clone().try_into_primitive::<Wgpu>().ok())??;
    Some(into_contiguous(tensor))
}

/// Whether a tensor may be one of ours. Asked before anything is done with it.
fn is_ours<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && tensor.device().without_autodiff() != burn::tensor::Device::flex()
}

/// Hands a gradient on, where it is wanted.
fn register(gradients: &mut Gradients, node: Option<NodeId>, gradient: CubeTensor) {
    if let Some(node) = node {
        gradients.register::<Wgpu>(node, gradient);
    }
}

#[derive(Debug)]
struct Convolution(Conv);

/// What the backward pass needs: input, weights, and the output, or for a pooled one where it came from.
type Saved = [CubeTensor; 3];

impl Kernel<Wgpu> for Convolution {
    fn forward(&self, x: CubeTensor, w: CubeTensor, b: &CubeTensor) -> (CubeTensor, Saved) {
        let [x, w, b] = [x, w, b.clone()].map(into_contiguous);
        let (y, from) = conv::forward(&self.0, &x, &w, &b);
        let saved = from.unwrap_or_else(|| y.clone());
        (y, [x, w, saved])
    }
}

impl Backward<Wgpu, 3> for Convolution {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, w_node, b_node] = ops.parents.map(|node| node.map(|node| node.id)); // none where no gradient is wanted
        let dy = into_contiguous(gradients.consume::<Wgpu>(&ops.node));
        let [x, w, saved] = ops.state;
        let weights_wanted = w_node.is_some() || b_node.is_some();
        let (dx, weights) = conv::backward(&self.0, [&x, &w, &saved, &dy], x_node.is_some(), weights_wanted);
        if let Some(dx) = dx {
            register(gradients, x_node, dx);
        }
        if let Some([dw, db]) = weights {
            register(gradients, w_node, dw);
            register(gradients, b_node, db);
        }
    }
}

#[derive(Debug)]
struct Affine {
    s: Linear,
    relu: bool,
}

impl Kernel<Wgpu> for Affine {
    fn forward(&self, x: CubeTensor, w: CubeTensor, b: &CubeTensor) -> (CubeTensor, Saved) {
        let [x, w, b] = [x, w, b.clone()].map(into_contiguous);
        let y = affine::forward(&self.s, &x, &w, &b, self.relu);
        (y.clone(), [x, w, y])
    }
}

impl Backward<Wgpu, 3> for Affine {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, w_node, b_node] = ops.parents.map(|node| node.map(|node| node.id)); // none where no gradient is wanted
        let dy = into_contiguous(gradients.consume::<Wgpu>(&ops.node));
        let [x, w, y] = ops.state;
        let dz = if self.relu { affine::through_relu(&y, &dy) } else { dy };
        if let Some(node) = x_node {
            gradients.register::<Wgpu>(node, affine::by_input(&self.s, &w, &dz));
        }
        if w_node.is_some() || b_node.is_some() {
            let [dw, db] = affine::by_weights(&self.s, &x, &dz);
            register(gradients, w_node, dw);
            register(gradients, b_node, db);
        }
    }
}

#[derive(Debug)]
struct Number;

impl Backward<Wgpu, 1> for Number {
    /// The gradient.
    type State = CubeTensor;

    fn backward(self, ops: Ops<CubeTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let factor = gradients.consume::<Wgpu>(&ops.node);
        if let Some(node) = node {
            gradients.register::<Wgpu>(node.id, loss::scaled(&ops.state, &factor));
        }
    }
}
