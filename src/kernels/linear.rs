//! A linear layer's three products, for weights as Burn keeps them: `[inputs, outputs]`.
//!
//! Operands are read where they lie, in blocks small enough that what a register tile reads again
//! stays in a 32 KiB cache.

use super::simd::{V, four, two};
use super::tile::{Inner, Outer};

/// Inputs of a block of [`forward`].
const FORWARD_INPUTS: usize = 64;
/// Inputs of a block of [`forward_row`].
const ROW_INPUTS: usize = 512;
/// Inputs and rows of a block of [`weight_gradient`].
const GRADIENT_INPUTS: usize = 32;
const GRADIENT_ROWS: usize = 64;

/// A linear layer's shape: `[n, inputs]` to `[n, outputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Rows: samples of a batch.
    pub n: usize,
    /// Features in.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
}

impl Linear {
    /// Whether the kernels here take this shape: any that is not empty.
    pub fn supported(&self) -> bool {
        self.n * self.inputs * self.outputs > 0
    }

    /// Whether register tiles fill it. A layer that they do not fill is computed as it is defined.
    fn is_tiled(&self) -> bool {
        self.inputs.is_multiple_of(4) && self.outputs.is_multiple_of(8)
    }

    fn assert_lengths(&self, x_len: usize, w_len: usize, y_len: usize) {
        assert!(self.supported(), "{self:?}");
        assert_eq!(x_len, self.n * self.inputs, "input of {self:?}");
        assert_eq!(w_len, self.inputs * self.outputs, "weights of {self:?}");
        assert_eq!(y_len, self.n * self.outputs, "output of {self:?}");
    }
}

/// `x w + b`.
///
/// # Shapes
/// - `x`: `[n, inputs]`
/// - `w`: `[inputs, outputs]`
/// - `b`: `[outputs]`
/// - output: `[n, outputs]`
pub fn forward(s: &Linear, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
    let mut y = b.repeat(s.n);
    s.assert_lengths(x.len(), w.len(), y.len());
    if !s.is_tiled() || s.n < 4 {
        for (x, y) in x.chunks_exact(s.inputs).zip(y.chunks_exact_mut(s.outputs)) {
            forward_row(x, w, y);
        }
        return y;
    }
    for (block, w) in w.chunks(FORWARD_INPUTS * s.outputs).enumerate() {
        let first = block * FORWARD_INPUTS;
        let len = w.len() / s.outputs;
        let w = w.chunks_exact(s.outputs); // cloned below: to make it anew takes a division
        for o in (0..s.outputs).step_by(8) {
            for n in (0..s.n).step_by(4) {
                // Where fewer than four rows are left, the last is taken again and not kept.
                let [r0, r1, r2, r3] = four(|j| &x[(n + j).min(s.n - 1) * s.inputs + first..][..len]);
                let mut sums = Outer::new([0.0; 4]);
                for ((w, (a, b)), (c, d)) in w.clone().zip(r0.iter().zip(r1)).zip(r2.iter().zip(r3)) {
                    sums.add(&[*a, *b, *c, *d], V::load_two(w, o));
                }
                // Each block is summed by itself, which rounds less than one long sum.
                for ([left, right], row) in sums.rows().into_iter().zip(n..s.n) {
                    let y = &mut y[row * s.outputs + o..][..8];
                    let [l, r] = V::load_two(y, 0);
                    V::store_two([l + left, r + right], y, 0);
                }
            }
        }
    }
    y
}

/// `dy wᵀ`.
///
/// # Shapes
/// - `dy`: `[n, outputs]`
/// - output: `[n, inputs]`
pub fn input_gradient(s: &Linear, w: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; s.n * s.inputs];
    s.assert_lengths(dx.len(), w.len(), dy.len());
    if !s.is_tiled() {
        for (dx, dy) in dx.chunks_exact_mut(s.inputs).zip(dy.chunks_exact(s.outputs)) {
            for (dx, w) in dx.iter_mut().zip(w.chunks_exact(s.outputs)) {
                *dx = w.iter().zip(dy).map(|(w, dy)| w * dy).sum();
            }
        }
        return dx;
    }
    let vectors = s.outputs / 4;
    let (w, dy) = (w.as_chunks::<4>().0, dy.as_chunks::<4>().0);
    for i in (0..s.inputs).step_by(4) {
        let w = four(|j| &w[(i + j) * vectors..][..vectors]);
        for n in (0..s.n).step_by(2) {
            // Where one row is left, it is taken twice and kept once.
            let dy = two(|j| &dy[(n + j).min(s.n - 1) * vectors..][..vectors]);
            let mut products = Inner::new();
            for v in 0..vectors {
                products.add(two(|j| V::load(&dy[j][v], 0)), four(|j| V::load(&w[j][v], 0)));
            }
            for (sums, row) in products.sums().into_iter().zip(n..s.n) {
                sums.store(&mut dx, row * s.inputs + i);
            }
        }
    }
    dx
}

/// `xᵀ dy`, and the sum of `dy` over the rows: the gradients by weights and bias.
///
/// # Shapes
/// - `x`: `[n, inputs]`
/// - `dy`: `[n, outputs]`
/// - output: `[inputs, outputs]`, `[outputs]`
pub fn weight_gradient(s: &Linear, x: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut dw = vec![0.0; s.inputs * s.outputs];
    s.assert_lengths(x.len(), dw.len(), dy.len());
    let mut db = vec![0.0; s.outputs];
    for dy in dy.chunks_exact(s.outputs) {
        db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
    }
    if !s.is_tiled() {
        for (x, dy) in x.chunks_exact(s.inputs).zip(dy.chunks_exact(s.outputs)) {
            x.iter().zip(dw.chunks_exact_mut(s.outputs)).for_each(|(x, dw)| add_product(dw, *x, dy));
        }
        return (dw, db);
    }
    // Four inputs of each row side by side: [inputs / 4][rows][4].
    let mut packed = [[[0.0; 4]; GRADIENT_ROWS]; GRADIENT_INPUTS / 4];
    let rows = x.chunks(GRADIENT_ROWS * s.inputs).zip(dy.chunks(GRADIENT_ROWS * s.outputs));
    for (part, (x, dy)) in rows.enumerate() {
        let rows = x.len() / s.inputs;
        let dy = dy.chunks_exact(s.outputs);
        for (block, dw) in dw.chunks_mut(GRADIENT_INPUTS * s.outputs).enumerate() {
            let fours = dw.len() / s.outputs / 4;
            for (row, x) in x.chunks_exact(s.inputs).enumerate() {
                let x = &x[block * GRADIENT_INPUTS..][..4 * fours];
                for (packed, four) in packed.iter_mut().zip(x.as_chunks::<4>().0) {
                    packed[row] = *four;
                }
            }
            for o in (0..s.outputs).step_by(8) {
                for (packed, dw) in packed.iter().zip(dw.chunks_exact_mut(4 * s.outputs)) {
                    let mut sums = match part {
                        0 => Outer::new([0.0; 4]),
                        _ => Outer::load(dw, four(|j| j * s.outputs + o)),
                    };
                    for (x, dy) in packed[..rows].iter().zip(dy.clone()) {
                        sums.add(x, V::load_two(dy, o));
                    }
                    for (j, sums) in sums.rows().into_iter().enumerate() {
                        V::store_two(sums, dw, j * s.outputs + o);
                    }
                }
            }
        }
    }
    (dw, db)
}

/// `y += x w` for one row. Weights are read once, and those of inputs that are zero, as ReLU leaves half
/// of them, not at all.
fn forward_row(x: &[f32], w: &[f32], y: &mut [f32]) {
    let (outputs, vectors) = (y.len(), y.len() / 4);
    if !outputs.is_multiple_of(4) {
        x.iter().zip(w.chunks_exact(outputs)).for_each(|(x, w)| add_product(y, *x, w));
        return;
    }
    let mut sums = vec![V::zero(); vectors];
    for (x, w) in x.chunks(ROW_INPUTS).zip(w.chunks(ROW_INPUTS * outputs)) {
        let mut inputs = [0; ROW_INPUTS];
        let mut count = 0;
        for (i, x) in x.iter().enumerate() {
            inputs[count] = i; // written over by the next where this one is zero
            count += usize::from(*x != 0.0);
        }
        sums.fill(V::zero());
        // Four rows at a time, for a quarter of the passes over the sums.
        for inputs in inputs[..count].chunks(4) {
            let row = |j: usize| {
                let input = inputs[j.min(inputs.len() - 1)];
                let factor = if j < inputs.len() { x[input] } else { 0.0 };
                (V::splat(factor), w[input * outputs..][..outputs].as_chunks::<4>().0)
            };
            let [(a, wa), (b, wb), (c, wc), (d, wd)] = four(row);
            let rows = wa.iter().zip(wb).zip(wc.iter().zip(wd));
            for (sum, ((wa, wb), (wc, wd))) in sums.iter_mut().zip(rows) {
                *sum = sum
                    .add_product(a, V::load(wa, 0))
                    .add_product(b, V::load(wb, 0))
                    .add_product(c, V::load(wc, 0))
                    .add_product(d, V::load(wd, 0));
            }
        }
        // Each block is summed by itself, which rounds less than one long sum.
        for (y, sum) in y.as_chunks_mut::<4>().0.iter_mut().zip(&sums) {
            (V::load(y, 0) + *sum).store(y, 0);
        }
    }
}

/// `to += factor · values`.
fn add_product(to: &mut [f32], factor: f32, values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::naive::{assert_near, numbers, wide};

    #[test]
    fn all_three_products_match_the_definition() {
        for (n, inputs, outputs) in [
            (64, 900, 128),
            (10, 9216, 128),
            (1, 4, 8),
            (3, 12, 8),
            (150, 100, 16),
            (5, 36, 24),
            (65, 68, 8),
            (3, 9, 10),
            (1, 9216, 128),
        ] {
            let s = Linear { n, inputs, outputs };
            let (mut x, w, b) = (numbers(n * inputs, 1), numbers(inputs * outputs, 2), numbers(outputs, 3));
            x.iter_mut().for_each(|x| *x = x.max(0.0)); // as ReLU leaves it
            let dy = numbers(n * outputs, 4);
            let mut y = wide(&b).repeat(n);
            let [mut dx, mut dw, mut db] = [vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; outputs]];
            for (row, i, o) in
                (0..n * inputs * outputs).map(|k| (k / outputs / inputs, k / outputs % inputs, k % outputs))
            {
                let (xi, wi, yi) = (row * inputs + i, i * outputs + o, row * outputs + o);
                y[yi] += f64::from(x[xi]) * f64::from(w[wi]);
                dx[xi] += f64::from(dy[yi]) * f64::from(w[wi]);
                dw[wi] += f64::from(dy[yi]) * f64::from(x[xi]);
            }
            for (i, &dy) in dy.iter().enumerate() {
                db[i % outputs] += f64::from(dy);
            }
            assert_near(&format!("{s:?} y"), &forward(&s, &x, &w, &b), &y, 1e-6);
            assert_near(&format!("{s:?} dx"), &input_gradient(&s, &w, &dy), &dx, 1e-6);
            let (got_dw, got_db) = weight_gradient(&s, &x, &dy);
            assert_near(&format!("{s:?} dw"), &got_dw, &dw, 1e-6);
            assert_near(&format!("{s:?} db"), &got_db, &db, 1e-6);
        }
    }

    #[test]
    fn nothing_is_not_taken() {
        let s = Linear { n: 2, inputs: 8, outputs: 10 };
        assert!(s.supported());
        for other in [Linear { n: 0, ..s }, Linear { inputs: 0, ..s }, Linear { outputs: 0, ..s }] {
            assert!(!other.supported(), "{other:?}");
        }
    }

    #[test]
    #[should_panic(expected = "weights of")]
    fn too_many_weights_are_refused() {
        forward(&Linear { n: 1, inputs: 4, outputs: 8 }, &[0.0; 4], &[0.0; 40], &[0.0; 8]);
    }
}
