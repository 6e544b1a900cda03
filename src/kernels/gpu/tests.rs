//! The kernels against the definitions, and steps of the optimizers against Burn's. Small work: the
//! adapter may be a software one.

use burn::tensor::{Device, Tensor, TensorData};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

use super::product::{Tile, divided};
use super::{Adam, adam, conv_relu, conv_relu_pool, cross_entropy, linear, pick, sgd};
use crate::device::{self, DeviceKind};
use crate::kernels::naive::{assert_near, numbers, wide};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const TOLERANCE: f64 = 1e-5;

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    tensor.without_autodiff().flatten(0, D - 1)
}

/// The output and the gradients of `Σ c · output` by input, weights and bias, and `c`.
async fn with_gradients<const D: usize>(
    [x, w]: [&Tensor<D>; 2],
    b: &Tensor<1>,
    op: impl Fn(&Tensor<D>, &Tensor<D>, &Tensor<1>) -> Option<Tensor<D>>,
) -> (Vec<Vec<f32>>, Vec<f32>) {
    let tracked = |tensor: &Tensor<D>| tensor.clone().autodiff().require_grad();
    let (x, w, b) = (tracked(x), tracked(w), b.clone().autodiff().require_grad());
    let y = op(&x, &w, &b).expect("the kernel takes it");
    let coefficients = numbers(y.shape().num_elements(), 5);
    let c = tensor(&coefficients, y.dims(), &x.device());
    let gradients = (y.clone() * c).sum().backward();
    let read = vec![
        flat(y),
        flat(x.grad(&gradients).unwrap()),
        flat(w.grad(&gradients).unwrap()),
        flat(b.grad(&gradients).unwrap()),
    ];
    (device::read(read).await.unwrap(), coefficients)
}

fn assert_all(what: &str, got: &[Vec<f32>], want: &[Vec<f64>]) {
    assert_eq!(got.len(), want.len());
    for (name, (got, want)) in ["y", "dx", "dw", "db"].iter().zip(got.iter().zip(want)) {
        assert_near(&format!("{what}: {name}"), got, want, TOLERANCE);
    }
}

/// Images, channels in and out, rows and columns of an image, and the kernel's size.
#[derive(Debug, Clone, Copy)]
struct Shape {
    n: usize,
    ci: usize,
    co: usize,
    h: usize,
    w: usize,
    k: usize,
}

/// And whether it is pooled: odd sizes, odd channels, other kernels, more images than are summed apart.
const SHAPES: [(Shape, bool); 8] = [
    (Shape { n: 1, ci: 1, co: 1, h: 3, w: 4, k: 3 }, false),
    (Shape { n: 3, ci: 1, co: 32, h: 28, w: 28, k: 3 }, false),
    (Shape { n: 10, ci: 3, co: 5, h: 9, w: 8, k: 3 }, true),
    (Shape { n: 3, ci: 5, co: 70, h: 11, w: 12, k: 5 }, false),
    (Shape { n: 2, ci: 5, co: 7, h: 12, w: 11, k: 5 }, true),
    (Shape { n: 2, ci: 32, co: 64, h: 10, w: 26, k: 3 }, true),
    (Shape { n: 67, ci: 2, co: 3, h: 5, w: 6, k: 1 }, true),
    (Shape { n: 1, ci: 2, co: 3, h: 8, w: 7, k: 6 }, false),
];

/// `relu(conv(x, w) + b)`, pooled where wanted, and its gradients for the coefficients `c`, by definition.
fn convolution(s: &Shape, pool: bool, [x, w, b]: [&[f64]; 3], c: &[f64]) -> Vec<Vec<f64>> {
    let (oh, ow) = (s.h + 1 - s.k, s.w + 1 - s.k);
    let taps = |o: usize, n: usize, oy: usize, ox: usize| {
        let s = *s;
        (0..s.ci * s.k * s.k).map(move |i| {
            let (channel, tap) = (i / (s.k * s.k), i % (s.k * s.k));
            let pixel = ((n * s.ci + channel) * s.h + oy + tap / s.k) * s.w + ox + tap % s.k;
            (pixel, o * s.ci * s.k * s.k + i)
        })
    };
    let z = |o: usize, n: usize, oy: usize, ox: usize| {
        taps(o, n, oy, ox).map(|(pixel, weight)| x[pixel] * w[weight]).sum::<f64>() + b[o]
    };
    let (ph, pw) = if pool { (oh / 2, ow / 2) } else { (oh, ow) };
    let mut y = Vec::new();
    let [mut dx, mut dw, mut db] = [vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; b.len()]];
    for (i, &c) in c.iter().enumerate() {
        let (n, o, row, column) = (i / (s.co * ph * pw), i / (ph * pw) % s.co, i / pw % ph, i % pw);
        let window: Vec<_> = match pool {
            true => (0..4).map(|p| (2 * row + p / 2, 2 * column + p % 2)).collect(),
            false => vec![(row, column)],
        };
        let sums: Vec<_> = window.iter().map(|&(oy, ox)| z(o, n, oy, ox)).collect();
        let best = (1..sums.len()).fold(0, |best, p| if sums[p] > sums[best] { p } else { best });
        y.push(sums[best].max(0.0));
        if sums[best] > 0.0 {
            let (oy, ox) = window[best];
            db[o] += c;
            for (pixel, weight) in taps(o, n, oy, ox) {
                dx[pixel] += c * w[weight];
                dw[weight] += c * x[pixel];
            }
        }
    }
    vec![y, dx, dw, db]
}

#[wasm_bindgen_test]
async fn gpu_convolution_is_the_definition() {
    let device = DeviceKind::Gpu.open().await.unwrap();
    for (s, pool) in SHAPES {
        // A plain background on the left, where windows have several largest.
        let mut x = numbers(s.n * s.ci * s.h * s.w, 1);
        x.iter_mut().enumerate().filter(|(i, _)| i % s.w < s.w / 3).for_each(|(_, x)| *x = -0.4242);
        let (w, b) = (numbers(s.co * s.ci * s.k * s.k, 2), numbers(s.co, 3));
        let op = if pool { conv_relu_pool } else { conv_relu };
        let (images, weights) =
            (tensor(&x, [s.n, s.ci, s.h, s.w], &device), tensor(&w, [s.co, s.ci, s.k, s.k], &device));
        let bias = tensor(&b, [s.co], &device);
        let (got, c) = with_gradients([&images, &weights], &bias, op).await;
        let want = convolution(&s, pool, [&wide(&x), &wide(&w), &wide(&b)], &wide(&c));
        assert_all(&format!("{s:?}, pooled: {pool}"), &got, &want);
    }
}

/// `x w + b`, through ReLU where wanted, and its gradients for `c`, by definition.
fn affine([n, inputs, outputs]: [usize; 3], relu: bool, [x, w, b]: [&[f64]; 3], c: &[f64]) -> Vec<Vec<f64>> {
    let mut y = Vec::new();
    let [mut dx, mut dw, mut db] = [vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; b.len()]];
    for (row, o) in (0..n).flat_map(|row| (0..outputs).map(move |o| (row, o))) {
        let z = (0..inputs).map(|i| x[row * inputs + i] * w[i * outputs + o]).sum::<f64>() + b[o];
        y.push(if relu { z.max(0.0) } else { z });
        if !relu || z > 0.0 {
            let c = c[row * outputs + o];
            db[o] += c;
            for i in 0..inputs {
                dx[row * inputs + i] += c * w[i * outputs + o];
                dw[i * outputs + o] += c * x[row * inputs + i];
            }
        }
    }
    vec![y, dx, dw, db]
}

#[wasm_bindgen_test]
async fn gpu_linear_is_the_definition() {
    let device = DeviceKind::Gpu.open().await.unwrap();
    for [n, inputs, outputs] in [[1, 1, 1], [1, 300, 10], [3, 129, 7], [10, 1000, 128], [67, 33, 65]] {
        let (x, w, b) = (numbers(n * inputs, 1), numbers(inputs * outputs, 2), numbers(outputs, 3));
        for relu in [false, true] {
            let (rows, weights) = (tensor(&x, [n, inputs], &device), tensor(&w, [inputs, outputs], &device));
            let bias = tensor(&b, [outputs], &device);
            let (got, c) = with_gradients([&rows, &weights], &bias, |x, w, b| linear(x, w, b, relu)).await;
            let want = affine([n, inputs, outputs], relu, [&wide(&x), &wide(&w), &wide(&b)], &wide(&c));
            if want[0].iter().any(|&y| y != 0.0) {
                assert_all(&format!("{n} × {inputs} × {outputs}, ReLU: {relu}"), &got, &want);
            }
        }
    }
}

#[wasm_bindgen_test]
async fn gpu_loss_is_the_definition() {
    let device = DeviceKind::Gpu.open().await.unwrap();
    for [n, classes] in [[1, 10], [3, 7], [130, 10]] {
        let values: Vec<f32> = numbers(n * classes, 1).iter().map(|x| 20.0 * x).collect();
        // A class a row; the first row's probability is spread over two.
        let mut targets = vec![0.0; n * classes];
        (0..n).for_each(|row| targets[row * classes + row * 3 % classes] = 1.0);
        (targets[0], targets[1]) = (0.25, 0.75);
        let logits = tensor(&values, [n, classes], &device).autodiff().require_grad();
        let loss = cross_entropy(&logits, &tensor(&targets, [n, classes], &device)).expect("the kernel takes it");
        // Twice, for a gradient that comes from above.
        let gradients = loss.clone().mul_scalar(2.0).backward();
        let got = device::read(vec![flat(loss), flat(logits.grad(&gradients).unwrap())]).await.unwrap();
        let (mut mean, mut gradient) = (0.0, Vec::new());
        for (row, t) in wide(&values).chunks(classes).zip(wide(&targets).chunks(classes)) {
            let total: f64 = row.iter().map(|x| x.exp()).sum();
            for (x, t) in row.iter().zip(t) {
                mean += t * (total.ln() - x) / n as f64;
                gradient.push(2.0 * (x.exp() / total - t) / n as f64);
            }
        }
        assert_near("loss", &got[0], &[mean], TOLERANCE);
        assert_near("gradient", &got[1], &gradient, TOLERANCE);
    }
}

#[wasm_bindgen_test]
async fn gpu_pick_gives_one_score() {
    let device = DeviceKind::Gpu.open().await.unwrap();
    let scores = tensor(&numbers(10, 1), [1, 10], &device).autodiff().require_grad();
    let score = pick(&scores, 3).expect("the kernel takes it");
    let gradients = score.clone().mul_scalar(2.0).backward();
    let got = device::read(vec![flat(score), flat(scores.grad(&gradients).unwrap())]).await.unwrap();
    let want: Vec<f32> = (0..10).map(|i| if i == 3 { 2.0 } else { 0.0 }).collect();
    assert_eq!(got, [vec![numbers(10, 1)[3]], want]);
    assert!(pick(&scores, 10).is_none());
}

#[wasm_bindgen_test]
async fn gpu_optimizers_follow_their_formulas() {
    let device = DeviceKind::Gpu.open().await.unwrap();
    let len = 1000;
    let of = |seed: u32| tensor(&numbers(len, seed), [len], &device);
    let (mut value, mut velocity) = (of(1), None);
    let (mut want, mut v) = (wide(&numbers(len, 1)), vec![0.0; len]);
    for step in 2..5 {
        let [new, next] = sgd(&value, &of(step), velocity.as_ref(), 0.9, 0.01).expect("the kernel takes it");
        (value, velocity) = (new, Some(next));
        for (i, g) in wide(&numbers(len, step)).into_iter().enumerate() {
            v[i] = g + 0.9 * v[i];
            want[i] -= 0.01 * v[i];
        }
    }
    let got = device::read(vec![value, velocity.unwrap()]).await.unwrap();
    assert_near("value", &got[0], &want, TOLERANCE);
    assert_near("velocity", &got[1], &v, TOLERANCE);

    let (mut value, mut moments) = (of(1), None::<[Tensor<1>; 2]>);
    let (mut want, mut m) = (wide(&numbers(len, 1)), [vec![0.0; len], vec![0.0; len]]);
    for step in 1..4_u32 {
        let (bias_1, bias_2) = (1.0 - 0.9_f32.powi(step as i32), (1.0 - 0.999_f32.powi(step as i32)).sqrt());
        let constants =
            Adam { beta_1: 0.9, beta_2: 0.999, factor: bias_2 / bias_1, epsilon: 1e-8 * bias_2, rate: 0.01 };
        let before = moments.as_ref().map(|[first, second]| [first, second]);
        let [new, first, second] = adam(&value, &of(step), before, &constants).expect("the kernel takes it");
        (value, moments) = (new, Some([first, second]));
        for (i, g) in wide(&numbers(len, step)).into_iter().enumerate() {
            m[0][i] = 0.9 * m[0][i] + 0.1 * g;
            m[1][i] = 0.999 * m[1][i] + 0.001 * g * g;
            let time = step as i32;
            let corrected = [m[0][i] / (1.0 - 0.9_f64.powi(time)), m[1][i] / (1.0 - 0.999_f64.powi(time))];
            want[i] -= 0.01 * corrected[0] / (corrected[1].sqrt() + 1e-8);
        }
    }
    let [first, second] = moments.unwrap();
    let got = device::read(vec![value, first, second]).await.unwrap();
    assert_near("value", &got[0], &want, TOLERANCE);
    assert_near("first moment", &got[1], &m[0], TOLERANCE);
    assert_near("second moment", &got[2], &m[1], 10.0 * TOLERANCE);
}

/// What is on the CPU is not theirs.
#[wasm_bindgen_test]
fn gpu_kernels_leave_the_cpu_alone() {
    let cpu = Device::flex();
    let (x, w) = (tensor(&numbers(9, 1), [1, 1, 3, 3], &cpu), tensor(&numbers(9, 2), [1, 1, 3, 3], &cpu));
    assert!(conv_relu(&x, &w, &tensor(&[0.5], [1], &cpu)).is_none());
    assert!(sgd(&tensor(&[0.5], [1], &cpu), &tensor(&[0.5], [1], &cpu), None, 0.9, 0.1).is_none());
}

/// What [`divided`] says, computed.
fn quotient(text: &str, value: u32) -> u32 {
    let numbers: Vec<u32> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    match numbers[..] {
        [] => value,
        [divisor] => value / divisor,
        [factor, shift] => (value * factor) >> shift,
        _ => panic!("{text}"),
    }
}

#[wasm_bindgen_test]
fn dividing_by_multiplying_is_exact() {
    for divisor in [1, 2, 3, 5, 7, 9, 12, 24, 25, 26, 28, 676, 784] {
        for limit in [9, 288, 576, 2 * 26 * 26, 64 * 784] {
            let text = divided("i", divisor, limit);
            assert!((0..limit as u32).all(|i| quotient(&text, i) == i / divisor as u32), "{text} for / {divisor}");
        }
    }
    assert_eq!(divided("i", 784, 1 << 31), "((i) / 784u)");
}

#[wasm_bindgen_test]
fn a_tile_fits_its_product() {
    assert_eq!(Tile::of(64, 576).groups(64, 576), [1, 9]);
    assert_eq!(Tile::of(10, 9216).height(), 16, "few rows, and few in vain");
}
