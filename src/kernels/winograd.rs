//! A 3×3 convolution, ReLU and 2×2 max pooling in one, in Winograd's form F(2×2, 3×3): 16 products
//! where the definition has 36.
//!
//! For a tile of 4×4 inputs `d` and a kernel `g`, the 2×2 outputs are `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A`.
//! Summed over the input channels, the elementwise product is 16 products of matrices, one for each
//! place in the tile. A tile's outputs are one window of the pooling, so that the maps before it are
//! never written. The backward pass is the adjoint: with `z = A dy Aᵀ`, `dg = Gᵀ[z ⊙ (Bᵀ d B)]G` and
//! `dd = B[(G g Gᵀ) ⊙ z]Bᵀ`, exact to rounding.
//!
//! Where a tile's rows or columns are all equal, as on the plain background of a drawing, the
//! differences in `Bᵀ d B` vanish exactly, and outputs that are equal by the definition come out
//! equal: the first of a window's largest is the one that PyTorch and Burn find.
//!
//! # Source
//! Lavin and Gray: Fast Algorithms for Convolutional Neural Networks (2015), section 4.1.

mod places;
#[cfg(test)]
mod tests;
mod transform;

use super::conv::{Conv, ConvGradients, Wanted};
use super::simd::{V, four, two};
use super::tile::{Inner, Outer};
use places::Places;

/// Where ReLU has cut a window off: no gradient goes back. See [`Pooled`].
const CUT: f32 = 4.0;

/// What [`forward`] gives.
#[derive(Debug)]
pub struct Pooled {
    /// The maxima, `[n, co, oh / 2, ow / 2]`.
    pub y: Vec<f32>,
    /// Which of its window each came from, of the same shape: 0 to 3, row by row, the first of
    /// equals; or 4 where ReLU gives zero.
    pub from: Vec<f32>,
}

/// Whether the kernels here take this shape: whole windows, four of them in a vector, four channels.
pub fn supported(s: &Conv) -> bool {
    let whole = |len: usize, of: usize| len > 0 && len.is_multiple_of(of);
    s.n > 0 && s.h > 2 && s.w > 2 && whole(s.oh(), 2) && whole(s.ow(), 8) && whole(s.ci, 4) && whole(s.co, 4)
}

/// `max_pool2(relu(conv(x, w) + b))`.
///
/// # Shapes
/// - `x`: `[n, ci, h, w]`
/// - `w`: `[co, ci, 3, 3]`
/// - `b`: `[co]`
/// - output: `[n, co, (h − 2) / 2, (w − 2) / 2]`
pub fn forward(s: &Conv, x: &[f32], w: &[f32], b: &[f32]) -> Pooled {
    assert!(supported(s), "{s:?}");
    s.assert_lengths(x, w, b.len());
    let tiles = s.output_len() / s.co / 4;
    let kernels = transform::kernels(s.co, s.ci, |o, c| &w[(o * s.ci + c) * 9..][..9]);
    let mut inputs = Places::new(s.ci, tiles);
    let mut products = Places::new(4, tiles); // few enough to stay in a small cache
    let mut pooled = Pooled { y: vec![0.0; s.n * s.co * tiles], from: vec![0.0; s.n * s.co * tiles] };
    for (n, x) in x.chunks_exact(s.image_len()).enumerate() {
        transform::inputs(s, x, &mut inputs);
        for (block, kernels) in kernels.chunks_exact(16 * s.ci).enumerate() {
            multiply(kernels, &inputs, &mut products);
            for (j, &bias) in b[4 * block..][..4].iter().enumerate() {
                for tile in (0..tiles).step_by(4) {
                    let outputs = transform::outputs(products.get(j, tile));
                    let at = (n * s.co + 4 * block + j) * tiles + tile;
                    let (max, from) = pool(four(|k| outputs[k] + V::splat(bias)));
                    max.store(&mut pooled.y, at);
                    from.store(&mut pooled.from, at);
                }
            }
        }
    }
    pooled
}

/// The maximum of each window, not below zero, and where it came from.
#[inline(always)]
fn pool(outputs: [V; 4]) -> (V, V) {
    let [a, b, c, d] = outputs;
    let max = a.max(b).max(c.max(d)).relu(); // NaN wins
    let (mut best, mut from) = (a, V::zero());
    for (k, output) in [(1.0, b), (2.0, c), (3.0, d)] {
        from = V::splat(k).where_gt(output, best, from);
        best = output.where_gt(output, best, best);
    }
    (max, from.where_gt(best, V::zero(), V::splat(CUT)))
}

/// The gradients, for what [`forward`] gave as `from` and the gradient `dy` by its maxima.
///
/// # Shapes
/// - `from`, `dy`: `[n, co, (h − 2) / 2, (w − 2) / 2]`
pub fn backward(s: &Conv, x: &[f32], w: &[f32], from: &[f32], dy: &[f32], wanted: Wanted) -> ConvGradients {
    assert!(supported(s), "{s:?}");
    s.assert_lengths(x, w, s.co);
    let tiles = s.output_len() / s.co / 4;
    assert!(dy.len() == s.n * s.co * tiles && from.len() == dy.len(), "output of {s:?}");
    let mut gradients = ConvGradients::zeros(s, wanted);
    let transposed = transform::kernels(s.ci, s.co, |c, o| &w[(o * s.ci + c) * 9..][..9]);
    let mut inputs = Places::new(s.ci, tiles);
    let mut outputs = Places::new(s.co, tiles);
    let mut products = Places::new(4, tiles);
    let mut by_kernel = vec![0.0; 16 * s.co * s.ci];
    for (n, x) in x.chunks_exact(s.image_len()).enumerate() {
        for (o, db) in gradients.b.iter_mut().enumerate() {
            let mut sums = V::zero();
            for tile in (0..tiles).step_by(4) {
                let at = (n * s.co + o) * tiles + tile;
                let (dy, from) = (V::load(dy, at), V::load(from, at));
                let [a, b, c, d] = four(|k| dy.where_eq(from, V::splat(k as f32)));
                sums = sums + ((a + b) + (c + d));
                outputs.put(o, tile, transform::output_gradients([a, b, c, d]));
            }
            *db += sums.sum();
        }
        if wanted.w {
            transform::inputs(s, x, &mut inputs);
            correlate(&outputs, &inputs, &mut by_kernel);
        }
        if let Some(dx) = &mut gradients.x {
            let dx = &mut dx[n * s.image_len()..][..s.image_len()];
            for (kernels, dx) in transposed.chunks_exact(16 * s.co).zip(dx.chunks_exact_mut(4 * s.h * s.w)) {
                multiply(kernels, &outputs, &mut products);
                transform::input_gradients(s, &products, dx);
            }
        }
    }
    if let Some(dw) = &mut gradients.w {
        let pairs = s.co * s.ci;
        for (pair, dw) in dw.as_chunks_mut::<9>().0.iter_mut().enumerate() {
            *dw = transform::kernel_gradient(std::array::from_fn(|place| by_kernel[place * pairs + pair]));
        }
    }
    gradients
}

/// Four rows of products: `products = kernels · columns` at each place; kernels are a block of those of
/// [`transform::kernels`].
#[inline(never)]
fn multiply(kernels: &[[f32; 4]], columns: &Places, products: &mut Places) {
    let len = columns.row_len();
    let places = columns.places().zip(products.places_mut());
    for (kernels, (columns, products)) in kernels.chunks_exact(columns.rows()).zip(places) {
        let columns = columns.chunks_exact(len); // cloned below: to make it anew takes a division
        for at in (0..len).step_by(2) {
            let mut sums = Outer::new([0.0; 4]);
            for (kernel, column) in kernels.iter().zip(columns.clone()) {
                sums.add(kernel, [column[at], column[at + 1]]);
            }
            for (j, [left, right]) in sums.rows().into_iter().enumerate() {
                products[j * len + at] = left;
                products[j * len + at + 1] = right;
            }
        }
    }
}

/// Adds to `sums`, `[16, co, ci]`, the inner products over the tiles of outputs' and inputs' rows.
#[inline(never)]
fn correlate(outputs: &Places, inputs: &Places, sums: &mut [f32]) {
    let len = outputs.row_len();
    let (co, ci) = (outputs.rows(), inputs.rows());
    let places = outputs.places().zip(inputs.places());
    for (sums, (outputs, inputs)) in sums.chunks_exact_mut(co * ci).zip(places) {
        for (sums, outputs) in sums.chunks_exact_mut(2 * ci).zip(outputs.chunks_exact(2 * len)) {
            let outputs = two(|i| &outputs[i * len..][..len]);
            for (block, inputs) in inputs.chunks_exact(4 * len).enumerate() {
                let inputs = four(|j| &inputs[j * len..][..len]);
                let mut products = Inner::new();
                for t in 0..len {
                    products.add(two(|i| outputs[i][t]), four(|j| inputs[j][t]));
                }
                for (i, product) in products.sums().into_iter().enumerate() {
                    let sums = &mut sums[i * ci + 4 * block..][..4];
                    (V::load(sums, 0) + product).store(sums, 0);
                }
            }
        }
    }
}
