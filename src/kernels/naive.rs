//! The definitions, in f64, that the kernels are tested against; and numbers to test them on.

use super::conv::Conv;

/// Values in `[−1, 1)` that look random and are the same everywhere.
pub fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state >> 8) / 8_388_608.0 - 1.0) as f32
        })
        .collect()
}

/// `relu(conv(x, w) + b)`, `[n, co, h − 2, w − 2]`.
pub fn conv_relu(s: &Conv, x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let mut y = Vec::new();
    for (n, o, oy, ox) in outputs(s) {
        let sum: f64 = taps(s, n, o, oy, ox).map(|(xi, wi)| x[xi] * w[wi]).sum();
        y.push((sum + b[o]).max(0.0));
    }
    y
}

/// The gradients by input, weights and bias for the gradient `dy` by [`conv_relu`]'s `y`.
pub fn conv_relu_backward(s: &Conv, x: &[f64], w: &[f64], y: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let [mut dx, mut dw, mut db] = [vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; s.co]];
    for (i, (n, o, oy, ox)) in outputs(s).enumerate() {
        if y[i] > 0.0 {
            db[o] += dy[i];
            for (xi, wi) in taps(s, n, o, oy, ox) {
                dx[xi] += dy[i] * w[wi];
                dw[wi] += dy[i] * x[xi];
            }
        }
    }
    [dx, dw, db]
}

/// The largest of each 2×2 window of `planes` `[rows, columns]`, and the index that it came from, the
/// first of equals.
pub fn max_pool(planes: usize, rows: usize, columns: usize, y: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let (mut values, mut indices) = (Vec::new(), Vec::new());
    for plane in 0..planes {
        for row in (0..rows).step_by(2) {
            for column in (0..columns).step_by(2) {
                let at = |k: usize| (plane * rows + row + k / 2) * columns + column + k % 2;
                let best = (1..4).fold(at(0), |best, k| if y[at(k)] > y[best] { at(k) } else { best });
                values.push(y[best]);
                indices.push(best);
            }
        }
    }
    (values, indices)
}

/// Image, channel, row and column of every output, in order.
fn outputs(s: &Conv) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let (co, oh, ow) = (s.co, s.oh(), s.ow());
    (0..s.n * co * oh * ow).map(move |i| (i / (co * oh * ow), i / (oh * ow) % co, i / ow % oh, i % ow))
}

/// Where the products of an output come from: in the input and in the weights.
fn taps(s: &Conv, n: usize, o: usize, oy: usize, ox: usize) -> impl Iterator<Item = (usize, usize)> {
    let Conv { ci, h, w, .. } = *s;
    (0..ci * 9).map(move |i| {
        let (c, tap) = (i / 9, i % 9);
        (((n * ci + c) * h + oy + tap / 3) * w + ox + tap % 3, (o * ci + c) * 9 + tap)
    })
}

/// As f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Asserts that `got` is near `want`: by the relative L2 error, which is also returned.
#[track_caller]
pub fn assert_near(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let (mut difference, mut norm) = (0.0, 0.0);
    for (&got, &want) in got.iter().zip(want) {
        difference += (f64::from(got) - want).powi(2);
        norm += want.powi(2);
    }
    assert!(norm > 0.0, "{what}: nothing to compare with");
    let error = (difference / norm).sqrt();
    assert!(error <= tolerance, "{what}: relative error {error:e}");
}
