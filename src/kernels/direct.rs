//! A 3×3 convolution and ReLU as a product of matrices that are never laid out: a register tile
//! reads the images where they lie, instead of from columns copied out of them (im2col).

use super::conv::{Conv, ConvGradients, Wanted};
use super::simd::{V, four, two};
use super::tile::{Inner, Outer};

/// Whether the kernels here take this shape: eight columns out make a block.
pub fn supported(s: &Conv) -> bool {
    s.h >= 3 && s.w >= 10 && s.n * s.ci * s.co > 0
}

/// `relu(conv(x, w) + b)`.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]`
/// - `w`: `[co, ci, 3, 3]`
/// - `b`: `[co]`
/// - output: `[n, co, h − 2, w − 2]`
pub fn forward(s: &Conv, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
    assert!(supported(s), "{s:?}");
    s.assert_lengths(x, w, b.len());
    let kernels = pack(s.co, s.ci, |o, c, tap| w[(o * s.ci + c) * 9 + tap]);
    let (oh, ow) = (s.oh(), s.ow());
    let mut y = vec![0.0; s.n * s.output_len()];
    for (x, y) in x.chunks_exact(s.image_len()).zip(y.chunks_exact_mut(s.output_len())) {
        let channels = kernels.chunks_exact(s.ci * 9).zip(b.chunks(4)).zip(y.chunks_mut(4 * oh * ow));
        for ((kernels, b), y) in channels {
            let bias = std::array::from_fn(|j| b.get(j).copied().unwrap_or(0.0));
            for oy in 0..oh {
                for ox in blocks(ow) {
                    let sums = tile(&x[oy * s.w + ox..], s.h * s.w, s.w, kernels, bias);
                    for ([left, right], j) in sums.rows().into_iter().zip(0..b.len()) {
                        V::store_two([left.relu(), right.relu()], y, (j * oh + oy) * ow + ox);
                    }
                }
            }
        }
    }
    y
}

/// The gradients, for what [`forward`] gave as `y` and the gradient `dy` by it.
///
/// # Shapes
/// - `y`, `dy`: `[n, co, h − 2, w − 2]`
pub fn backward(s: &Conv, x: &[f32], w: &[f32], y: &[f32], dy: &[f32], wanted: Wanted) -> ConvGradients {
    assert!(supported(s), "{s:?}");
    s.assert_lengths(x, w, s.co);
    assert!(y.len() == s.n * s.output_len() && dy.len() == y.len(), "output of {s:?}");
    let mut gradients = ConvGradients::zeros(s, wanted);
    // The gradient by the input is a convolution too, with the kernels turned by 180° and transposed.
    let turned = if wanted.x { pack(s.ci, s.co, |c, o, tap| w[(o * s.ci + c) * 9 + 8 - tap]) } else { Vec::new() };
    let mut padded = Padded::new(s);
    let mut image = vec![0.0; s.image_len() + Padded::SLACK];
    for n in 0..s.n {
        let outputs = n * s.output_len()..(n + 1) * s.output_len();
        padded.fill(s, &dy[outputs.clone()], &y[outputs], &mut gradients.b);
        if let Some(dx) = &mut gradients.x {
            input_gradient(s, &padded, &turned, &mut dx[n * s.image_len()..][..s.image_len()]);
        }
        if let Some(dw) = &mut gradients.w {
            image[..s.image_len()].copy_from_slice(&x[n * s.image_len()..][..s.image_len()]);
            weight_gradient(s, &image, &padded, dw);
        }
    }
    gradients
}

/// Kernels `[rows, cols, 9]` by blocks of four rows: `[⌈rows / 4⌉, cols, 9][4]`, zeros past the end.
fn pack(rows: usize, cols: usize, get: impl Fn(usize, usize, usize) -> f32) -> Vec<[f32; 4]> {
    let mut packed = vec![[0.0; 4]; rows.div_ceil(4) * cols * 9];
    for row in 0..rows {
        for col in 0..cols {
            for tap in 0..9 {
                packed[(row / 4 * cols + col) * 9 + tap][row % 4] = get(row, col, tap);
            }
        }
    }
    packed
}

/// Starts of blocks of eight that cover `0..len`; the last may overlap the one before it.
fn blocks(len: usize) -> impl Iterator<Item = usize> {
    (0..len.div_ceil(8)).map(move |block| (8 * block).min(len - 8))
}

/// Eight outputs of four channels, from planes that follow one another in `x`.
#[inline(always)]
fn tile(x: &[f32], plane: usize, row: usize, kernels: &[[f32; 4]], bias: [f32; 4]) -> Outer {
    let mut sums = Outer::new(bias);
    for (x, kernel) in x.chunks(plane).zip(kernels.as_chunks::<9>().0) {
        for ky in 0..3 {
            let line = &x[ky * row..][..10];
            for kx in 0..3 {
                sums.add(&kernel[ky * 3 + kx], V::load_two(line, kx));
            }
        }
    }
    sums
}

/// ConvGradients of one image's outputs, with zeros around: rows are as long as the input's, so that a
/// plane is one run, and a kernel laid anywhere on the input finds its nine values.
struct Padded {
    data: Vec<f32>,
    plane: usize,
    start: usize,
}

impl Padded {
    /// Zeros after a plane, for vectors that reach past it.
    const SLACK: usize = 16;

    fn new(s: &Conv) -> Self {
        let start = 2 * s.w + 2;
        let plane = start + s.h * s.w + Self::SLACK;
        Self { data: vec![0.0; s.co * plane], plane, start }
    }

    /// Takes in `dy`, zero where ReLU gave zero, and adds each channel's sum to `db`.
    fn fill(&mut self, s: &Conv, dy: &[f32], y: &[f32], db: &mut [f32]) {
        let ow = s.ow();
        let planes = self.data.chunks_exact_mut(self.plane).zip(db);
        let outputs = dy.chunks_exact(s.oh() * ow).zip(y.chunks_exact(s.oh() * ow));
        for ((to, db), (dy, y)) in planes.zip(outputs) {
            for (to, (dy, y)) in to[self.start..].chunks_mut(s.w).zip(dy.chunks_exact(ow).zip(y.chunks_exact(ow))) {
                for (to, (&dy, &y)) in to.iter_mut().zip(dy.iter().zip(y)) {
                    *to = if y > 0.0 { dy } else { 0.0 };
                }
                let (vectors, rest) = to[..ow].as_chunks::<4>();
                let sums = vectors.iter().fold(V::zero(), |sums, v| sums + V::load(v, 0));
                *db += sums.sum() + rest.iter().sum::<f32>();
            }
        }
    }
}

#[inline(never)]
fn input_gradient(s: &Conv, padded: &Padded, turned: &[[f32; 4]], dx: &mut [f32]) {
    let len = s.h * s.w;
    for (kernels, dx) in turned.chunks_exact(s.co * 9).zip(dx.chunks_mut(4 * len)) {
        for at in blocks(len) {
            let sums = tile(&padded.data[at..], padded.plane, s.w, kernels, [0.0; 4]);
            for (sums, j) in sums.rows().into_iter().zip(0..dx.len() / len) {
                V::store_two(sums, dx, j * len + at);
            }
        }
    }
}

/// Adds one image's part: for each tap, the inner product of the gradients with the input shifted.
#[inline(never)]
fn weight_gradient(s: &Conv, image: &[f32], padded: &Padded, dw: &mut [f32]) {
    let taps = s.ci * 9;
    let vectors = (s.oh() * s.w).div_ceil(4);
    for (block, dw) in dw.chunks_mut(4 * taps).enumerate() {
        // Where fewer than four channels or two taps are left, the last is taken again and not kept.
        let channel = |j: usize| (4 * block + j).min(s.co - 1) * padded.plane + padded.start;
        let outputs = four(|j| &padded.data[channel(j)..].as_chunks::<4>().0[..vectors]);
        for pair in (0..taps).step_by(2) {
            let shifted = |i: usize| {
                let (c, tap) = ((pair + i).min(taps - 1) / 9, (pair + i).min(taps - 1) % 9);
                &image[(c * s.h + tap / 3) * s.w + tap % 3..].as_chunks::<4>().0[..vectors]
            };
            let inputs = two(shifted);
            let mut products = Inner::new();
            for v in 0..vectors {
                products.add(two(|i| V::load(&inputs[i][v], 0)), four(|j| V::load(&outputs[j][v], 0)));
            }
            for (i, sums) in products.sums().into_iter().enumerate().take(taps - pair) {
                for (dw, sum) in dw.chunks_exact_mut(taps).zip(sums.lanes()) {
                    dw[pair + i] += sum;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::naive::{self, assert_near, numbers, wide};

    /// The net's own shapes, then odd ones: channels that fill no block, the narrowest, the lowest.
    const SHAPES: [Conv; 6] = [
        Conv { n: 2, ci: 1, co: 32, h: 28, w: 28 },
        Conv { n: 1, ci: 32, co: 64, h: 26, w: 26 },
        Conv { n: 1, ci: 1, co: 1, h: 3, w: 10 },
        Conv { n: 2, ci: 3, co: 5, h: 7, w: 13 },
        Conv { n: 3, ci: 5, co: 3, h: 3, w: 11 },
        Conv { n: 1, ci: 2, co: 7, h: 12, w: 19 },
    ];

    #[test]
    fn both_passes_match_the_definition() {
        for s in SHAPES {
            let x = numbers(s.n * s.image_len(), 1);
            let (w, b, dy) = (numbers(s.weight_len(), 2), numbers(s.co, 3), numbers(s.n * s.output_len(), 4));
            let want = naive::conv_relu(&s, &wide(&x), &wide(&w), &wide(&b));
            let y = forward(&s, &x, &w, &b);
            assert_near(&format!("{s:?} y"), &y, &want, 1e-6);
            let [dx, dw, db] = naive::conv_relu_backward(&s, &wide(&x), &wide(&w), &wide(&y), &wide(&dy));
            let got = backward(&s, &x, &w, &y, &dy, Wanted { x: true, w: true });
            assert_near(&format!("{s:?} dx"), &got.x.unwrap(), &dx, 1e-6);
            assert_near(&format!("{s:?} dw"), &got.w.unwrap(), &dw, 1e-6);
            assert_near(&format!("{s:?} db"), &got.b, &db, 1e-6);
        }
    }

    #[test]
    fn only_what_is_wanted_is_given() {
        let s = SHAPES[3];
        let (x, w) = (numbers(s.n * s.image_len(), 1), numbers(s.weight_len(), 2));
        let y = vec![1.0; s.n * s.output_len()];
        let both = backward(&s, &x, &w, &y, &y, Wanted { x: true, w: true });
        let by_input = backward(&s, &x, &w, &y, &y, Wanted { x: true, w: false });
        assert_eq!((by_input.x, by_input.w), (both.x, None));
        let by_weights = backward(&s, &x, &w, &y, &y, Wanted { x: false, w: true });
        assert_eq!((by_weights.x, by_weights.w), (None, both.w));
        assert_eq!((by_input.b, by_weights.b), (both.b.clone(), both.b));
    }

    #[test]
    fn no_gradient_passes_where_relu_gave_zero() {
        let s = SHAPES[0];
        let (x, w) = (vec![1.0; s.n * s.image_len()], vec![0.0; s.weight_len()]);
        let y = forward(&s, &x, &w, &vec![0.0; s.co]); // zero exactly: not below, and yet cut off
        let got = backward(&s, &x, &w, &y, &vec![1.0; y.len()], Wanted { x: false, w: true });
        assert_eq!(got.w.unwrap(), vec![0.0; s.weight_len()]);
    }

    #[test]
    fn equal_windows_give_equal_outputs() {
        let s = SHAPES[5];
        let (w, b) = (numbers(s.weight_len(), 2), vec![1.0; s.co]);
        let y = forward(&s, &vec![-0.4242; s.image_len()], &w, &b);
        for channel in y.chunks_exact(s.oh() * s.ow()) {
            assert!(channel.iter().all(|value| value.to_bits() == channel[0].to_bits()), "{channel:?}");
        }
    }

    #[test]
    #[should_panic(expected = "input of")]
    fn a_short_input_is_refused() {
        let s = SHAPES[0];
        forward(&s, &[0.0; 783], &vec![0.0; s.weight_len()], &vec![0.0; s.co]);
    }
}
