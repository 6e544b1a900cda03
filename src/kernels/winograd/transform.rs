//! Into Winograd's form and out of it.
//!
//! ```text
//! Bᵀ = 1  0 −1  0     G =  1   0   0     Aᵀ = 1 1  1  0
//!      0  1  1  0         ½   ½   ½          0 1 −1 −1
//!      0 −1  1  0         ½  −½   ½
//!      0  1  0 −1         0   0   1
//! ```

use super::places::Places;
use crate::kernels::conv::Conv;
use crate::kernels::simd::{V, four, two};

/// `G g Gᵀ` of kernels, by blocks of four rows: `[rows / 4][16][cols]` vectors of four rows.
pub fn kernels<'a>(rows: usize, cols: usize, kernel: impl Fn(usize, usize) -> &'a [f32]) -> Vec<[f32; 4]> {
    /// `G` on three vectors.
    #[inline(always)]
    fn g([a, b, c]: [V; 3]) -> [V; 4] {
        let half = |x| V::zero().add_product(x, V::splat(0.5));
        [a, half(a + b + c), half(a - b + c), c]
    }
    let mut packed = vec![[0.0; 4]; 16 * rows / 4 * cols];
    for (block, packed) in packed.chunks_exact_mut(16 * cols).enumerate() {
        for col in 0..cols {
            let taps = four(|j| &kernel(4 * block + j, col)[..9]);
            let [t0, t1, t2, t3] = V::transposed(four(|j| V::load(taps[j], 0)));
            let [t4, t5, t6, t7] = V::transposed(four(|j| V::load(taps[j], 4)));
            let t8 = V::load(&four(|j| taps[j][8]), 0);
            let [left, middle, right] = [g([t0, t3, t6]), g([t1, t4, t7]), g([t2, t5, t8])];
            for y in 0..4 {
                for (x, value) in g([left[y], middle[y], right[y]]).into_iter().enumerate() {
                    value.store(&mut packed[(y * 4 + x) * cols + col], 0);
                }
            }
        }
    }
    packed
}

/// `Bᵀ d B` of one image's tiles, `[ci, h, w]`.
pub fn inputs(s: &Conv, image: &[f32], places: &mut Places) {
    /// `Bᵀ` on four vectors.
    #[inline(always)]
    fn bt([a, b, c, d]: [V; 4]) -> [V; 4] {
        [a - c, b + c, c - b, b - d]
    }
    let columns = s.ow() / 2;
    for (c, plane) in image.chunks_exact(s.h * s.w).enumerate() {
        for ty in 0..s.oh() / 2 {
            for tx in (0..columns).step_by(4) {
                let rows = four(|y| {
                    let line = &plane[(2 * ty + y) * s.w + 2 * tx..][..10];
                    let (first, second) = V::unzip(V::load(line, 0), V::load(line, 4));
                    let (third, fourth) = V::unzip(V::load(line, 2), V::load(line, 6));
                    bt([first, second, third, fourth])
                });
                places.put(c, ty * columns + tx, by_columns(rows, bt));
            }
        }
    }
}

/// `f` down each column of four rows.
#[inline(always)]
fn by_columns(rows: [[V; 4]; 4], f: impl Fn([V; 4]) -> [V; 4]) -> [V; 16] {
    let columns = four(|x| f(four(|y| rows[y][x])));
    by_place(|y, x| columns[x][y])
}

/// Values by row and column, row by row.
#[inline(always)]
fn by_place(f: impl Fn(usize, usize) -> V) -> [V; 16] {
    let mut values = [V::zero(); 16];
    for (place, value) in values.iter_mut().enumerate() {
        *value = f(place / 4, place % 4);
    }
    values
}

/// `Aᵀ m A` of four tiles: the outputs 00, 01, 10, 11.
#[inline(always)]
pub fn outputs(m: [V; 16]) -> [V; 4] {
    /// `Aᵀ` on four vectors.
    #[inline(always)]
    fn at([a, b, c, d]: [V; 4]) -> [V; 2] {
        [a + b + c, b - c - d]
    }
    let rows = four(|y| at(four(|x| m[y * 4 + x])));
    let [[a, c], [b, d]] = two(|x| at(four(|y| rows[y][x])));
    [a, b, c, d]
}

/// `A dy Aᵀ` of four tiles.
#[inline(always)]
pub fn output_gradients([d00, d01, d10, d11]: [V; 4]) -> [V; 16] {
    /// `A` on two vectors.
    #[inline(always)]
    fn a(x: V, y: V) -> [V; 4] {
        [x, x + y, x - y, V::zero() - y]
    }
    let (left, right) = (a(d00, d10), a(d01, d11));
    let rows = four(|y| a(left[y], right[y]));
    by_place(|y, x| rows[y][x])
}

/// `Gᵀ m G` for one kernel.
pub fn kernel_gradient(m: [f32; 16]) -> [f32; 9] {
    /// `Gᵀ` on four values.
    fn gt([a, b, c, d]: [f32; 4]) -> [f32; 3] {
        let half = (b + c) * 0.5;
        [a + half, (b - c) * 0.5, half + d]
    }
    let columns = [0, 1, 2, 3].map(|x| gt([m[x], m[4 + x], m[8 + x], m[12 + x]]));
    let rows = [0, 1, 2].map(|y| gt(columns.map(|column| column[y])));
    std::array::from_fn(|tap| rows[tap / 3][tap % 3])
}

/// Adds `B m Bᵀ` of one image's tiles, which overlap, to `dx`, `[rows, h, w]`: the channels of `places`.
pub fn input_gradients(s: &Conv, places: &Places, dx: &mut [f32]) {
    /// `B` on four vectors.
    #[inline(always)]
    fn b([a, b, c, d]: [V; 4]) -> [V; 4] {
        [a, b - c + d, b + c - a, V::zero() - d]
    }
    let columns = s.ow() / 2;
    for (c, dx) in dx.chunks_exact_mut(s.h * s.w).enumerate() {
        for ty in 0..s.oh() / 2 {
            // The last two columns of a tile are the first two of the next.
            let mut before = [[V::zero(); 2]; 4];
            for tx in (0..columns).step_by(4) {
                let m = places.get(c, ty * columns + tx);
                let m = by_columns(four(|y| b(four(|x| m[y * 4 + x]))), b);
                for (y, [third, fourth]) in before.iter_mut().enumerate() {
                    let even = m[y * 4] + V::shift(*third, m[y * 4 + 2]);
                    let odd = m[y * 4 + 1] + V::shift(*fourth, m[y * 4 + 3]);
                    let line = &mut dx[(2 * ty + y) * s.w + 2 * tx..][..8];
                    let ([left, right], (more_left, more_right)) = (V::load_two(line, 0), V::zip(even, odd));
                    V::store_two([left + more_left, right + more_right], line, 0);
                    [*third, *fourth] = [m[y * 4 + 2], m[y * 4 + 3]];
                }
            }
            for (y, ends) in before.into_iter().enumerate() {
                let line = &mut dx[(2 * ty + y) * s.w + 2 * columns..][..2];
                line.iter_mut().zip(ends).for_each(|(dx, end)| *dx += end.lanes()[3]);
            }
        }
    }
}
