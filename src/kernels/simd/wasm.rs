//! [`V`] in WebAssembly's simd128.

use core::arch::wasm32::{
    f32x4_add, f32x4_eq, f32x4_gt, f32x4_max, f32x4_mul, f32x4_pmax, f32x4_splat, f32x4_sub, i32x4_shuffle, v128,
    v128_and, v128_bitselect, v128_load, v128_store,
};

/// Four `f32`.
#[derive(Clone, Copy)]
pub struct V(v128);

impl V {
    /// `x` four times.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        Self(f32x4_splat(x))
    }

    /// `x[at..at + 4]`.
    #[inline(always)]
    pub fn load(x: &[f32], at: usize) -> Self {
        let from = &x[at..][..4];
        // SAFETY: four f32 are the 16 bytes that are read, and v128_load takes any alignment.
        Self(unsafe { v128_load(from.as_ptr().cast()) })
    }

    /// Into `x[at..at + 4]`.
    #[inline(always)]
    pub fn store(self, x: &mut [f32], at: usize) {
        let to = &mut x[at..][..4];
        // SAFETY: four f32 are the 16 bytes that are written, and v128_store takes any alignment.
        unsafe { v128_store(to.as_mut_ptr().cast(), self.0) };
    }

    /// The sums.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }

    /// The differences.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        Self(f32x4_sub(self.0, other.0))
    }

    /// `self + a · b`.
    #[inline(always)]
    pub fn add_product(self, a: Self, b: Self) -> Self {
        Self(f32x4_add(self.0, f32x4_mul(a.0, b.0)))
    }

    /// The larger; NaN where either is.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        Self(f32x4_max(self.0, other.0))
    }

    /// Zero where `self` is below it; NaN stays.
    #[inline(always)]
    pub fn relu(self) -> Self {
        Self(f32x4_pmax(self.0, f32x4_splat(0.0))) // one instruction on x64, as f32x4_max is not
    }

    /// The even and the odd lanes of the eight values `a`, `b`.
    #[inline(always)]
    pub fn unzip(a: Self, b: Self) -> (Self, Self) {
        (Self(i32x4_shuffle::<0, 2, 4, 6>(a.0, b.0)), Self(i32x4_shuffle::<1, 3, 5, 7>(a.0, b.0)))
    }

    /// `a0 b0 a1 b1` and `a2 b2 a3 b3`.
    #[inline(always)]
    pub fn zip(a: Self, b: Self) -> (Self, Self) {
        (Self(i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0)), Self(i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0)))
    }

    /// `a3 b0 b1 b2`.
    #[inline(always)]
    pub fn shift(a: Self, b: Self) -> Self {
        Self(i32x4_shuffle::<3, 4, 5, 6>(a.0, b.0))
    }

    /// `self` where `a > b`, else `other`.
    #[inline(always)]
    pub fn where_gt(self, a: Self, b: Self, other: Self) -> Self {
        Self(v128_bitselect(self.0, other.0, f32x4_gt(a.0, b.0)))
    }

    /// `self` where `a = b`, else zero.
    #[inline(always)]
    pub fn where_eq(self, a: Self, b: Self) -> Self {
        Self(v128_and(self.0, f32x4_eq(a.0, b.0)))
    }
}
