//! One image's tiles in Winograd's form: for each of the 16 places in a tile a matrix of channels by
//! tiles.

use crate::kernels::simd::V;

/// Sixteen matrices of channels by tiles, `[16][rows][row_len]` vectors of four tiles. There is an
/// even number of vectors in a row; tiles past the end stay zero.
pub struct Places {
    data: Vec<V>,
    rows: usize,
    row_len: usize,
}

/// A cache line between the matrices, so that the sixteen values of a tile do not meet in one cache
/// set: without it, the transforms took several times as long.
const PADDING: usize = 4;

impl Places {
    /// All zero.
    pub fn new(rows: usize, tiles: usize) -> Self {
        let row_len = tiles.div_ceil(8) * 2;
        Self { data: vec![V::zero(); 16 * (rows * row_len + PADDING)], rows, row_len }
    }

    /// Rows of a matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Vectors of a row.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    fn place_len(&self) -> usize {
        self.rows * self.row_len + PADDING
    }

    /// Where the first of sixteen values lies, and how far it is to the next. The last is checked to be
    /// there, once for all: sixteen checks take a tenth of the forward pass.
    #[inline(always)]
    fn locate(&self, row: usize, tile: usize) -> (usize, usize) {
        let (at, step) = (row * self.row_len + tile / 4, self.place_len());
        assert!(at + 15 * step < self.data.len());
        (at, step)
    }

    /// Puts the sixteen values of four tiles, the first of which is a multiple of four.
    #[inline(always)]
    pub fn put(&mut self, row: usize, tile: usize, values: [V; 16]) {
        let (at, step) = self.locate(row, tile);
        for (place, value) in values.into_iter().enumerate() {
            // SAFETY: `place` is below 16, and `locate` has checked the last.
            unsafe { *self.data.get_unchecked_mut(at + place * step) = value };
        }
    }

    /// Gets what [`Places::put`] has put.
    #[inline(always)]
    pub fn get(&self, row: usize, tile: usize) -> [V; 16] {
        let (at, step) = self.locate(row, tile);
        let mut values = [V::zero(); 16];
        for (place, value) in values.iter_mut().enumerate() {
            // SAFETY: `place` is below 16, and `locate` has checked the last.
            *value = unsafe { *self.data.get_unchecked(at + place * step) };
        }
        values
    }

    /// The matrices.
    pub fn places(&self) -> impl Iterator<Item = &[V]> {
        self.data.chunks_exact(self.place_len()).map(|place| &place[..place.len() - PADDING])
    }

    /// The matrices.
    pub fn places_mut(&mut self) -> impl Iterator<Item = &mut [V]> {
        let step = self.place_len();
        self.data.chunks_exact_mut(step).map(|place| place.split_at_mut(place.len() - PADDING).0)
    }
}
