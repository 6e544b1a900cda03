//! The operations against Burn's own, against finite differences of the definition, and where they
//! do not apply.

use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, FloatDType, Tensor, TensorData, activation, module};

use super::{conv_relu, conv_relu_pool, cross_entropy, linear, linear_relu, pick};
use crate::kernels::conv::Conv;
use crate::kernels::naive::{self, assert_near, numbers, wide};

const POOLED: Conv = Conv { n: 2, ci: 4, co: 8, h: 6, w: 18 };

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

/// Input, weights and bias of a convolution, plain.
fn operands(s: &Conv) -> (Tensor<4>, Tensor<4>, Tensor<1>) {
    let x = tensor(numbers(s.n * s.image_len(), 1), [s.n, s.ci, s.h, s.w]);
    (x, tensor(numbers(s.weight_len(), 2), [s.co, s.ci, 3, 3]), tensor(numbers(s.co, 3), [s.co]))
}

/// As [`operands`], but with a plain background on the left of the images.
fn drawing() -> (Tensor<4>, Tensor<4>, Tensor<1>) {
    let (x, w, b) = operands(&POOLED);
    (x.slice_fill([0..2, 0..4, 0..6, 0..12], -0.4242), w, b)
}

fn burn_conv_relu(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Tensor<4> {
    let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
    activation::relu(module::conv2d(x.clone(), w.clone(), Some(b.clone()), options))
}

fn burn_conv_relu_pool(x: &Tensor<4>, w: &Tensor<4>, b: &Tensor<1>) -> Tensor<4> {
    module::max_pool2d(burn_conv_relu(x, w, b), MaxPoolOptions::new([2, 2]))
}

/// The output, and the gradients of `Σ coefficients · output` by input, weights and bias.
fn with_gradients<const D: usize>(
    (x, w, b): (Tensor<D>, Tensor<D>, Tensor<1>),
    op: impl Fn(&Tensor<D>, &Tensor<D>, &Tensor<1>) -> Tensor<D>,
) -> [Vec<f32>; 4] {
    let (x, w, b) = (x.autodiff().require_grad(), w.autodiff().require_grad(), b.autodiff().require_grad());
    let y = op(&x, &w, &b);
    let coefficients = tensor(numbers(y.shape().num_elements(), 5), y.dims());
    let gradients = (y.clone() * coefficients.autodiff()).sum().backward();
    let gradient = |values: Option<Tensor<1>>| values.map(self::values).unwrap();
    [
        values(y.without_autodiff()),
        gradient(x.grad(&gradients).map(|g| g.flatten(0, D - 1))),
        gradient(w.grad(&gradients).map(|g| g.flatten(0, D - 1))),
        gradient(b.grad(&gradients)),
    ]
}

#[track_caller]
fn assert_same(got: &[Vec<f32>], want: &[Vec<f32>]) {
    for (name, (got, want)) in ["y", "dx", "dw", "db"].into_iter().zip(got.iter().zip(want)) {
        assert_near(name, got, &wide(want), 1e-5);
    }
}

#[test]
fn the_operations_agree_with_burns() {
    for s in [Conv { n: 3, ci: 1, co: 32, h: 28, w: 28 }, Conv { n: 1, ci: 3, co: 5, h: 7, w: 13 }, POOLED] {
        let ours = with_gradients(operands(&s), |x, w, b| conv_relu(x, w, b).unwrap());
        assert_same(&ours, &with_gradients(operands(&s), burn_conv_relu));
    }
    for s in [Conv { n: 3, ci: 32, co: 64, h: 26, w: 26 }, Conv { n: 1, ..POOLED }, POOLED] {
        let ours = with_gradients(operands(&s), |x, w, b| conv_relu_pool(x, w, b).unwrap());
        assert_same(&ours, &with_gradients(operands(&s), burn_conv_relu_pool));
    }
    for (n, inputs, outputs) in [(5, 36, 24), (4, 12, 8), (1, 12, 8), (3, 7, 10)] {
        let operands = || {
            let (x, w) = (numbers(n * inputs, 1), numbers(inputs * outputs, 2));
            (tensor(x, [n, inputs]), tensor(w, [inputs, outputs]), tensor(numbers(outputs, 3), [outputs]))
        };
        let ours = with_gradients(operands(), |x, w, b| linear(x, w, b).unwrap());
        let burns = with_gradients(operands(), |x, w, b| module::linear(x.clone(), w.clone(), Some(b.clone())));
        assert_same(&ours, &burns);
        let ours = with_gradients(operands(), |x, w, b| linear_relu(x, w, b).unwrap());
        let burns = with_gradients(operands(), |x, w, b| {
            activation::relu(module::linear(x.clone(), w.clone(), Some(b.clone())))
        });
        assert_same(&ours, &burns);
        assert!(ours[0].contains(&0.0) && ours[0].iter().any(|&y| y > 0.0));
    }
}

/// A number's value and gradient, by an operation of ours and by one of Burn's.
#[track_caller]
fn assert_same_number(
    x: &Tensor<2>,
    ours: impl Fn(&Tensor<2>) -> Option<Tensor<1>>,
    burns: impl Fn(Tensor<2>) -> Tensor<1>,
) {
    let both = [&|x| ours(&x).unwrap(), &burns as &dyn Fn(Tensor<2>) -> Tensor<1>].map(|op| {
        let x = x.clone().autodiff().require_grad();
        let y = op(x.clone());
        // Not the last operation, so that its gradient is not one.
        let gradients = y.clone().mul_scalar(3.0).backward();
        [values(y.without_autodiff()), values(x.grad(&gradients).unwrap())]
    });
    assert_same(&both[0], &both[1]);
    let plain = ours(x).unwrap();
    assert!(!plain.is_autodiff());
    assert_eq!(values(plain), both[0][0]);
}

#[test]
fn numbers_and_their_gradients_are_burns() {
    let logits = tensor(numbers(5 * 10, 1), [5, 10]).mul_scalar(8.0);
    // One class each, and once a mixture.
    let mut classes = vec![0.0; 5 * 10];
    (0..4).for_each(|row| classes[row * 10 + row * 2] = 1.0);
    (classes[41], classes[47]) = (0.25, 0.75);
    let targets = tensor(classes, [5, 10]);
    let burns = |logits| (activation::log_softmax(logits, 1) * targets.clone().autodiff()).sum().div_scalar(-5.0);
    assert_same_number(&logits, |logits| cross_entropy(logits, &targets), burns);
    let row = tensor(numbers(10, 2), [1, 10]);
    assert_same_number(&row, |x| pick(x, 3), |x| x.slice([0..1, 3..4]).sum());
}

#[test]
fn large_logits_have_a_loss() {
    let (logits, targets) = (tensor(vec![1e4, -1e4], [1, 2]), tensor(vec![0.0, 1.0], [1, 2]));
    assert_eq!(values(cross_entropy(&logits, &targets).unwrap()), [2e4]);
    assert!(values(cross_entropy(&(logits * f32::NAN), &targets).unwrap())[0].is_nan());
}

#[test]
fn what_has_long_been_learnt_has_no_gradient() {
    let targets = tensor(vec![1.0, 0.0, 0.0], [1, 3]);
    let by_logits = |logits: [f32; 3]| {
        let logits = tensor(logits.to_vec(), [1, 3]).autodiff().require_grad();
        let gradients = cross_entropy(&logits, &targets).unwrap().backward();
        values(logits.grad(&gradients).unwrap())
    };
    assert_eq!(by_logits([60.0, 0.0, -30.0]), [0.0; 3]); // e⁻⁶⁰ is 9e-27
    let [_, second, third] = by_logits([30.0, 0.0, -30.0])[..] else { panic!("three logits") };
    assert!((second / 9.36e-14 - 1.0).abs() < 1e-3 && third == 0.0, "{second} {third}");
    assert!(by_logits([f32::NAN, 0.0, 0.0]).iter().all(|gradient| gradient.is_nan()));
}

#[test]
fn the_gradients_agree_with_finite_differences() {
    let s = Conv { n: 1, ..POOLED };
    let (x, w, b) = operands(&s);
    let points = [values(x.clone()), values(w.clone()), values(b.clone())].map(|values| wide(&values));
    let coefficients = wide(&numbers(s.output_len() / 4, 5));
    let loss = |[x, w, b]: &[Vec<f64>; 3]| -> f64 {
        let (y, _) = naive::max_pool(s.co, s.oh(), s.ow(), &naive::conv_relu(&s, x, w, b));
        y.iter().zip(&coefficients).map(|(y, c)| y * c).sum()
    };
    let [_, gradients @ ..] = with_gradients((x, w, b), |x, w, b| conv_relu_pool(x, w, b).unwrap());
    const STEP: f64 = 1e-6;
    for (operand, gradient) in gradients.iter().enumerate() {
        let differences: Vec<f64> = (0..gradient.len())
            .map(|i| {
                let moved = |by: f64| {
                    let mut points = points.clone();
                    points[operand][i] += by;
                    loss(&points)
                };
                (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
            })
            .collect();
        assert_near(["dx", "dw", "db"][operand], gradient, &differences, 1e-5);
    }
}

#[test]
fn without_autodiff_the_output_is_the_same() {
    let (x, w, b) = operands(&POOLED);
    let [tracked, ..] = with_gradients(operands(&POOLED), |x, w, b| conv_relu_pool(x, w, b).unwrap());
    let plain = conv_relu_pool(&x, &w, &b).unwrap();
    assert!(!plain.is_autodiff());
    assert_eq!(values(plain), tracked);
}

#[test]
fn views_are_read_as_what_they_show() {
    let (x, w, b) = operands(&POOLED);
    let want = values(conv_relu(&x, &w, &b).unwrap());
    let turned = |t: &Tensor<4>| values(t.clone().permute([3, 2, 1, 0]));
    let x = tensor(turned(&x), [18, 6, 4, 2]).permute([3, 2, 1, 0]);
    let w = tensor(turned(&w), [3, 3, 4, 8]).permute([3, 2, 1, 0]);
    assert_eq!(values(conv_relu(&x, &w, &b).unwrap()), want);
}

/// A plain background has windows whose outputs are all equal; the gradient belongs to the first.
#[test]
fn the_gradients_are_burns_where_outputs_tie() {
    let ours = with_gradients(drawing(), |x, w, b| conv_relu_pool(x, w, b).unwrap());
    assert_same(&ours, &with_gradients(drawing(), burn_conv_relu_pool));
}

/// As for a saliency map: the images are tracked, the weights are not.
#[test]
fn the_inputs_gradient_comes_alone() {
    let [_, want, ..] = with_gradients(drawing(), |x, w, b| conv_relu_pool(x, w, b).unwrap());
    let (x, w, b) = drawing();
    let x = x.autodiff().require_grad();
    let y = conv_relu_pool(&x, &w, &b).unwrap();
    let coefficients = tensor(numbers(y.shape().num_elements(), 5), y.dims());
    let gradients = (y * coefficients.autodiff()).sum().backward();
    assert_eq!(values(x.grad(&gradients).unwrap()), want);
}

#[test]
fn what_does_not_fit_is_left_to_burn() {
    let (x, w, b) = operands(&POOLED);
    assert!(conv_relu(&x, &w, &b).is_some() && conv_relu_pool(&x, &w, &b).is_some());
    // A kernel of another size, a bias and channels that do not match, columns too few, no images.
    let other = |shape: [usize; 4]| Tensor::<4>::zeros(shape, &Device::flex());
    for (x, w, b) in [
        (x.clone(), other([8, 4, 5, 5]), b.clone()),
        (x.clone(), w.clone(), Tensor::zeros([7], &Device::flex())),
        (other([2, 3, 6, 18]), w.clone(), b.clone()),
        (other([2, 4, 6, 9]), w.clone(), b.clone()),
        (other([0, 4, 6, 18]), w.clone(), b.clone()),
    ] {
        assert!(conv_relu(&x, &w, &b).is_none() && conv_relu_pool(&x, &w, &b).is_none(), "{:?}", x.dims());
    }
    let wide = x.clone().cast(FloatDType::F64);
    assert!(conv_relu(&wide, &w, &b).is_none() && conv_relu_pool(&wide, &w, &b).is_none());
    // An odd number of rows, which pooling cuts off.
    assert!(conv_relu_pool(&other([2, 4, 7, 18]), &w, &b).is_none());
    let flat = |rows, columns| Tensor::<2>::zeros([rows, columns], &Device::flex());
    assert!(linear(&flat(4, 8), &flat(8, 8), &b).is_some());
    assert!(linear(&flat(0, 8), &flat(8, 8), &b).is_none());
    assert!(linear(&flat(4, 8), &flat(4, 8), &b).is_none());
    assert!(cross_entropy(&flat(4, 8), &flat(4, 7)).is_none());
    assert!(cross_entropy(&flat(4, 8), &flat(4, 8).autodiff()).is_none());
    assert!(pick(&flat(1, 8).cast(FloatDType::F64), 0).is_none());
}

#[test]
fn gradient_checkpointing_is_left_to_burn() {
    let (x, w, b) = operands(&POOLED);
    let device = Device::flex().autodiff().gradient_checkpointing();
    let w = Tensor::from_data(w.into_data(), &device);
    assert!(w.is_autodiff());
    assert!(conv_relu(&x, &w, &b).is_none() && conv_relu_pool(&x, &w, &b).is_none());
}
