//! [`V`] in arrays.

use std::array::from_fn;

/// Four `f32`.
#[derive(Clone, Copy)]
#[repr(align(16))]
pub struct V([f32; 4]);

impl V {
    /// `x` four times.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        Self([x; 4])
    }

    /// `x[at..at + 4]`.
    #[inline(always)]
    pub fn load(x: &[f32], at: usize) -> Self {
        let from = &x[at..][..4];
        Self([from[0], from[1], from[2], from[3]])
    }

    /// Into `x[at..at + 4]`.
    #[inline(always)]
    pub fn store(self, x: &mut [f32], at: usize) {
        x[at..][..4].copy_from_slice(&self.0);
    }

    /// The sums.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] + other.0[i]))
    }

    /// The differences.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] - other.0[i]))
    }

    /// `self + a · b`.
    #[inline(always)]
    pub fn add_product(self, a: Self, b: Self) -> Self {
        Self(from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }

    /// The larger; NaN where either is.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        Self(from_fn(|i| if self.0[i] > other.0[i] || self.0[i].is_nan() { self.0[i] } else { other.0[i] }))
    }

    /// Zero where `self` is below it; NaN stays.
    #[inline(always)]
    pub fn relu(self) -> Self {
        Self(self.0.map(|x| if x < 0.0 { 0.0 } else { x }))
    }

    /// The even and the odd lanes of the eight values `a`, `b`.
    #[inline(always)]
    pub fn unzip(Self(a): Self, Self(b): Self) -> (Self, Self) {
        (Self([a[0], a[2], b[0], b[2]]), Self([a[1], a[3], b[1], b[3]]))
    }

    /// `a0 b0 a1 b1` and `a2 b2 a3 b3`.
    #[inline(always)]
    pub fn zip(Self(a): Self, Self(b): Self) -> (Self, Self) {
        (Self([a[0], b[0], a[1], b[1]]), Self([a[2], b[2], a[3], b[3]]))
    }

    /// `a3 b0 b1 b2`.
    #[inline(always)]
    pub fn shift(Self(a): Self, Self(b): Self) -> Self {
        Self([a[3], b[0], b[1], b[2]])
    }

    /// `self` where `a > b`, else `other`.
    #[inline(always)]
    pub fn where_gt(self, a: Self, b: Self, other: Self) -> Self {
        Self(from_fn(|i| if a.0[i] > b.0[i] { self.0[i] } else { other.0[i] }))
    }

    /// `self` where `a = b`, else zero.
    #[inline(always)]
    pub fn where_eq(self, a: Self, b: Self) -> Self {
        #[allow(clippy::float_cmp)] // codes are compared, which are exact
        Self(from_fn(|i| if a.0[i] == b.0[i] { self.0[i] } else { 0.0 }))
    }
}
