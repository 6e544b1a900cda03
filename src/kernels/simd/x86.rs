//! [`V`] in SSE2, which every x86-64 has.

use core::arch::x86_64::{
    __m128, _mm_add_ps, _mm_and_ps, _mm_andnot_ps, _mm_cmpeq_ps, _mm_cmpgt_ps, _mm_cmpunord_ps, _mm_loadu_ps,
    _mm_max_ps, _mm_mul_ps, _mm_or_ps, _mm_set1_ps, _mm_setzero_ps, _mm_shuffle_ps, _mm_storeu_ps, _mm_sub_ps,
    _mm_unpackhi_ps, _mm_unpacklo_ps,
};

/// Calls intrinsics, which only code compiled for their target feature may call safely (Rust 1.95).
macro_rules! sse {
    ($intrinsics:expr) => {
        // SAFETY: every x86-64 has SSE2, and the intrinsics called so work on values alone.
        unsafe { $intrinsics }
    };
}

/// Four `f32`.
#[derive(Clone, Copy)]
pub struct V(__m128);

impl V {
    /// `x` four times.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        Self(sse!(_mm_set1_ps(x)))
    }

    /// `x[at..at + 4]`.
    #[inline(always)]
    pub fn load(x: &[f32], at: usize) -> Self {
        let from = &x[at..][..4];
        // SAFETY: four f32 are the 16 bytes that are read, and loadu takes any alignment.
        Self(unsafe { _mm_loadu_ps(from.as_ptr()) })
    }

    /// Into `x[at..at + 4]`.
    #[inline(always)]
    pub fn store(self, x: &mut [f32], at: usize) {
        let to = &mut x[at..][..4];
        // SAFETY: four f32 are the 16 bytes that are written, and storeu takes any alignment.
        unsafe { _mm_storeu_ps(to.as_mut_ptr(), self.0) };
    }

    /// The sums.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(sse!(_mm_add_ps(self.0, other.0)))
    }

    /// The differences.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        Self(sse!(_mm_sub_ps(self.0, other.0)))
    }

    /// `self + a · b`.
    #[inline(always)]
    pub fn add_product(self, a: Self, b: Self) -> Self {
        Self(sse!(_mm_add_ps(self.0, _mm_mul_ps(a.0, b.0))))
    }

    /// The larger; NaN where either is.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        // maxps gives its second operand where either is NaN.
        Self(sse!(_mm_or_ps(_mm_max_ps(self.0, other.0), _mm_cmpunord_ps(self.0, self.0))))
    }

    /// Zero where `self` is below it; NaN stays.
    #[inline(always)]
    pub fn relu(self) -> Self {
        Self(sse!(_mm_max_ps(_mm_setzero_ps(), self.0)))
    }

    /// The even and the odd lanes of the eight values `a`, `b`.
    #[inline(always)]
    pub fn unzip(a: Self, b: Self) -> (Self, Self) {
        (Self(sse!(_mm_shuffle_ps::<0b10_00_10_00>(a.0, b.0))), Self(sse!(_mm_shuffle_ps::<0b11_01_11_01>(a.0, b.0))))
    }

    /// `a0 b0 a1 b1` and `a2 b2 a3 b3`.
    #[inline(always)]
    pub fn zip(a: Self, b: Self) -> (Self, Self) {
        (Self(sse!(_mm_unpacklo_ps(a.0, b.0))), Self(sse!(_mm_unpackhi_ps(a.0, b.0))))
    }

    /// `a3 b0 b1 b2`.
    #[inline(always)]
    pub fn shift(a: Self, b: Self) -> Self {
        let ends = sse!(_mm_shuffle_ps::<0b00_00_11_11>(a.0, b.0)); // a3 a3 b0 b0
        Self(sse!(_mm_shuffle_ps::<0b10_01_10_00>(ends, b.0)))
    }

    /// `self` where `a > b`, else `other`.
    #[inline(always)]
    pub fn where_gt(self, a: Self, b: Self, other: Self) -> Self {
        let greater = sse!(_mm_cmpgt_ps(a.0, b.0));
        Self(sse!(_mm_or_ps(_mm_and_ps(greater, self.0), _mm_andnot_ps(greater, other.0))))
    }

    /// `self` where `a = b`, else zero.
    #[inline(always)]
    pub fn where_eq(self, a: Self, b: Self) -> Self {
        Self(sse!(_mm_and_ps(self.0, _mm_cmpeq_ps(a.0, b.0))))
    }
}
