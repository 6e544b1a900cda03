//! The two register tiles that every product here is made of.
//!
//! Either keeps two vectors by four as its sums: eight accumulators, which with their operands fit
//! the fifteen vector registers that V8 hands out on x64. Larger tiles spill, smaller ones wait for
//! their sums (`docs/performance.md`).

use super::simd::{V, four};

/// Sums of outer products, `[4][8]`.
#[derive(Clone, Copy)]
pub struct Outer([[V; 2]; 4]);

impl Outer {
    /// Rows that start with a value each.
    #[inline(always)]
    pub fn new(rows: [f32; 4]) -> Self {
        Self(four(|j| [V::splat(rows[j]); 2]))
    }

    /// Rows that start with `x[at[j]..at[j] + 8]`.
    #[inline(always)]
    pub fn load(x: &[f32], at: [usize; 4]) -> Self {
        Self(four(|j| V::load_two(x, at[j])))
    }

    /// Adds `column · rowᵀ`.
    #[inline(always)]
    pub fn add(&mut self, column: &[f32; 4], row: [V; 2]) {
        for (sums, &value) in self.0.iter_mut().zip(column) {
            let value = V::splat(value);
            sums[0] = sums[0].add_product(row[0], value);
            sums[1] = sums[1].add_product(row[1], value);
        }
    }

    /// The sums, by row.
    #[inline(always)]
    pub fn rows(self) -> [[V; 2]; 4] {
        self.0
    }
}

/// Inner products of two vectors with four, as sums by lane.
#[derive(Clone, Copy)]
pub struct Inner([[V; 4]; 2]);

impl Inner {
    /// No sums yet.
    #[inline(always)]
    pub fn new() -> Self {
        Self([[V::zero(); 4]; 2])
    }

    /// Adds the products of four more values of each.
    #[inline(always)]
    pub fn add(&mut self, two: [V; 2], four: [V; 4]) {
        for (sums, one) in self.0.iter_mut().zip(two) {
            for (sum, other) in sums.iter_mut().zip(four) {
                *sum = sum.add_product(one, other);
            }
        }
    }

    /// The inner products: of each of the two with the four.
    #[inline(always)]
    pub fn sums(self) -> [V; 2] {
        [V::sums(self.0[0]), V::sums(self.0[1])]
    }
}
