//! Four `f32` side by side: WebAssembly's simd128 or x86-64's SSE2 where there is one, else arrays,
//! which the compiler vectorises as it can.
//!
//! All do the same operations in the same order, none of them fused, so that the browser and a
//! native run round alike. Loads and stores are checked against the slice's length; the kernels are
//! written so that the compiler can see those checks through.

use std::ops::{Add, Sub};

#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), path = "simd/wasm.rs")]
#[cfg_attr(target_arch = "x86_64", path = "simd/x86.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))),
    path = "simd/portable.rs"
)]
mod lanes;

pub use lanes::V;

/// `[f(0), f(1), f(2), f(3)]`. Not `array::map` or `array::from_fn`, which rustc 1.95 leaves as calls
/// in the innermost loops.
#[inline(always)]
pub fn four<T>(mut f: impl FnMut(usize) -> T) -> [T; 4] {
    [f(0), f(1), f(2), f(3)]
}

/// `[f(0), f(1)]`, see [`four`].
#[inline(always)]
pub fn two<T>(mut f: impl FnMut(usize) -> T) -> [T; 2] {
    [f(0), f(1)]
}

impl V {
    /// Four zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        Self::splat(0.0)
    }

    /// `x[at..at + 8]`.
    #[inline(always)]
    pub fn load_two(x: &[f32], at: usize) -> [Self; 2] {
        let x = &x[at..][..8];
        [Self::load(x, 0), Self::load(x, 4)]
    }

    /// Into `x[at..at + 8]`.
    #[inline(always)]
    pub fn store_two([left, right]: [Self; 2], x: &mut [f32], at: usize) {
        let x = &mut x[at..][..8];
        left.store(x, 0);
        right.store(x, 4);
    }

    /// The sum of the lanes.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.lanes();
        (a + b) + (c + d)
    }

    /// The lanes.
    #[inline(always)]
    pub fn lanes(self) -> [f32; 4] {
        let mut lanes = [0.0; 4];
        self.store(&mut lanes, 0);
        lanes
    }

    /// The sums of four vectors' lanes.
    #[inline(always)]
    pub fn sums([a, b, c, d]: [Self; 4]) -> Self {
        let (ac, ac_) = Self::zip(a, c);
        let (bd, bd_) = Self::zip(b, d);
        let (even, odd) = Self::zip(ac + ac_, bd + bd_);
        even + odd
    }

    /// The first lanes of four vectors, their second, third and fourth.
    #[inline(always)]
    pub fn transposed([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let ((ac, ac_), (bd, bd_)) = (Self::zip(a, c), Self::zip(b, d));
        let ((first, second), (third, fourth)) = (Self::zip(ac, bd), Self::zip(ac_, bd_));
        [first, second, third, fourth]
    }
}

impl Add for V {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.plus(other)
    }
}

impl Sub for V {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.minus(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(lanes: [f32; 4]) -> V {
        V::load(&lanes, 0)
    }

    fn lanes(v: V) -> [f32; 4] {
        v.lanes()
    }

    const A: [f32; 4] = [1.0, -2.0, 3.0, -4.0];
    const B: [f32; 4] = [10.0, 20.0, 30.0, 40.0];

    #[test]
    fn arithmetic_is_by_lane() {
        assert_eq!(lanes(v(A) + v(B)), [11.0, 18.0, 33.0, 36.0]);
        assert_eq!(lanes(v(A) - v(B)), [-9.0, -22.0, -27.0, -44.0]);
        assert_eq!(lanes(V::splat(1.0).add_product(v(A), v(B))), [11.0, -39.0, 91.0, -159.0]);
        assert_eq!(lanes(v(A).max(v([2.0, -3.0, 2.0, -3.0]))), [2.0, -2.0, 3.0, -3.0]);
        assert_eq!(lanes(v(A).relu()), [1.0, 0.0, 3.0, 0.0]);
    }

    #[test]
    fn lanes_are_sorted() {
        let (even, odd) = V::unzip(v(A), v(B));
        assert_eq!((lanes(even), lanes(odd)), ([1.0, 3.0, 10.0, 30.0], [-2.0, -4.0, 20.0, 40.0]));
        let (low, high) = V::zip(v(A), v(B));
        assert_eq!((lanes(low), lanes(high)), ([1.0, 10.0, -2.0, 20.0], [3.0, 30.0, -4.0, 40.0]));
        assert_eq!(lanes(V::shift(v(A), v(B))), [-4.0, 10.0, 20.0, 30.0]);
        assert_eq!(lanes(V::sums([v(A), v(B), V::splat(1.0), V::zero()])), [-2.0, 100.0, 4.0, 0.0]);
        let columns = V::transposed([v(A), v(B), V::splat(5.0), V::zero()]);
        let expected = [[1.0, 10.0, 5.0, 0.0], [-2.0, 20.0, 5.0, 0.0], [3.0, 30.0, 5.0, 0.0], [-4.0, 40.0, 5.0, 0.0]];
        assert_eq!(columns.map(lanes), expected);
    }

    #[test]
    fn choices_are_by_lane() {
        let zero = V::zero();
        assert_eq!(lanes(v(B).where_gt(v(A), zero, V::splat(5.0))), [10.0, 5.0, 30.0, 5.0]);
        assert_eq!(lanes(v(B).where_eq(v(A), V::splat(3.0))), [0.0, 0.0, 30.0, 0.0]);
        assert_eq!(lanes(v(B).where_gt(v([0.0, -0.0, f32::MIN_POSITIVE, -1.0]), zero, zero)), [0.0, 0.0, 30.0, 0.0]);
    }

    #[test]
    fn nan_is_not_lost() {
        let nan = V::splat(f32::NAN);
        for lane in [lanes(nan.relu()), lanes(nan.max(v(A))), lanes(v(A).max(nan))].concat() {
            assert!(lane.is_nan());
        }
    }

    #[test]
    #[should_panic]
    fn a_load_past_the_end_is_refused() {
        let _ = V::load(&[0.0; 7], 4);
    }
}
