//! A drawing → the 28×28 image that the net expects, as the makers of MNIST did it.
//!
//! They cut a digit out, fitted it into 20×20 pixels keeping its aspect (which made grey levels of
//! black and white), and placed it into 28×28 so that its centre of mass lies in the middle. A net
//! trained on such images reads a drawing only after the same treatment, so there is one function
//! for it: the drawing pad, the synthetic digits and the tests all use [`from_pixels`].
//!
//! # Source
//! Y. `LeCun`, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
//! recognition", Proceedings of the IEEE 86 (1998), section III-A.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sizes of a drawing, far below 2²³, and grey levels held to 0..255"
)]

use crate::error::{Error, Result};

/// Side of the image.
pub const IMAGE_SIDE: usize = 28;
/// Side of the box that the ink is fitted into.
pub const BOX_SIDE: usize = 20;
/// Coverage up to this is no ink: what anti-aliasing leaves at an edge must not move the crop.
const INK_THRESHOLD: u8 = 16;
/// Where the centre of mass goes, in pixels from the image's top left corner: the middle of the
/// pixel (14, 14). Measured on MNIST's test images: x 14.508, y 14.493, each ± 0.29, which is what
/// rounding to whole pixels leaves.
const MIDDLE: f32 = 14.5;

/// Makes the net's image of a drawing.
///
/// `pixels` is the coverage by ink, 0 to 255, `[height, width]`. `None` when nothing is drawn.
///
/// # Shapes
/// - `pixels`: `[height, width]`
/// - result: `[28, 28]`, 0 is background, 255 is full ink
///
/// # Errors
/// [`Error::WrongLength`] when `pixels` is not `width · height` long.
pub fn from_pixels(pixels: &[u8], width: usize, height: usize) -> Result<Option<Vec<u8>>> {
    let expected = width.saturating_mul(height);
    if pixels.len() != expected {
        return Err(Error::WrongLength { what: "drawing", expected, got: pixels.len() });
    }
    let Some(crop) = Crop::of_ink(pixels, width) else {
        return Ok(None);
    };
    let fitted = fit(pixels, width, &crop);
    Ok(Some(centre(&fitted)))
}

/// The box around the ink: rows and columns, the ends excluded.
#[derive(Debug, PartialEq, Eq)]
struct Crop {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Crop {
    fn of_ink(pixels: &[u8], width: usize) -> Option<Self> {
        let mut crop: Option<Self> = None;
        // A drawing without width has no pixels, so `chunks` is never asked for rows of 0.
        for (y, row) in pixels.chunks(width.max(1)).enumerate() {
            let is_ink = |&coverage: &u8| coverage > INK_THRESHOLD;
            let Some(first) = row.iter().position(is_ink) else {
                continue;
            };
            let last = row.iter().rposition(is_ink).unwrap_or(first);
            let crop = crop.get_or_insert(Self { left: first, right: last + 1, top: y, bottom: y + 1 });
            crop.left = crop.left.min(first);
            crop.right = crop.right.max(last + 1);
            crop.bottom = y + 1;
        }
        crop
    }
}

/// The ink of `crop`, fitted into 20×20 keeping its aspect, by averaging over areas.
fn fit(pixels: &[u8], width: usize, crop: &Crop) -> Vec<f32> {
    let side = (crop.right - crop.left).max(crop.bottom - crop.top);
    let columns = spans(crop.left, crop.right, side);
    let rows = spans(crop.top, crop.bottom, side);

    // Separable: along the rows first, only where there is ink, then down the columns.
    let height = crop.bottom - crop.top;
    let mut narrow = vec![0.0_f32; height * BOX_SIDE];
    for (y, line) in narrow.chunks_exact_mut(BOX_SIDE).enumerate() {
        let row = &pixels[(crop.top + y) * width..][..width];
        for (value, span) in line.iter_mut().zip(&columns) {
            *value = span.average(|x| f32::from(row[x]));
        }
    }
    let mut fitted = Vec::with_capacity(BOX_SIDE * BOX_SIDE);
    for span in &rows {
        for x in 0..BOX_SIDE {
            fitted.push(span.average(|y| narrow[(y - crop.top) * BOX_SIDE + x]));
        }
    }
    fitted
}

/// What one of the 20 cells covers along one axis of the drawing.
#[derive(Debug)]
struct Span {
    /// Its interval, cut to the crop.
    start: f32,
    end: f32,
    /// Its whole length; what lies outside the crop counts as empty.
    length: f32,
}

impl Span {
    /// The mean of `value` over the interval.
    fn average(&self, value: impl Fn(usize) -> f32) -> f32 {
        let mut sum = 0.0;
        let mut at = self.start;
        let mut index = self.start as usize;
        while at < self.end {
            let next = ((index + 1) as f32).min(self.end);
            sum += (next - at) * value(index);
            at = next;
            index += 1;
        }
        sum / self.length
    }
}

/// The 20 cells of a square of `side` that has `from..to` in its middle.
///
/// A cell narrower than a pixel is widened to one around its middle, which makes enlarging a small
/// drawing a linear interpolation instead of a staircase.
fn spans(from: usize, to: usize, side: usize) -> Vec<Span> {
    let cell = side as f32 / BOX_SIDE as f32;
    let length = cell.max(1.0);
    let origin = ((from + to) as f32 - side as f32) / 2.0;
    (0..BOX_SIDE)
        .map(|i| {
            let middle = origin + (i as f32 + 0.5) * cell;
            Span {
                start: (middle - length / 2.0).max(from as f32),
                end: (middle + length / 2.0).min(to as f32),
                length,
            }
        })
        .collect()
}

/// Places 20×20 into 28×28, by whole pixels, with its centre of mass in the middle. What would lie
/// outside is cut off.
fn centre(fitted: &[f32]) -> Vec<u8> {
    let (x, y) = centre_of_mass(fitted, BOX_SIDE);
    // To the nearest pixel; at a tie to the left and up, where the box has equal margins.
    let shift_x = (MIDDLE - x - 0.5).ceil() as isize;
    let shift_y = (MIDDLE - y - 0.5).ceil() as isize;
    let mut image = vec![0; IMAGE_SIDE * IMAGE_SIDE];
    for (row, line) in fitted.chunks_exact(BOX_SIDE).enumerate() {
        for (column, value) in line.iter().enumerate() {
            let to_x = column as isize + shift_x;
            let to_y = row as isize + shift_y;
            let inside = 0..IMAGE_SIDE as isize;
            if inside.contains(&to_x) && inside.contains(&to_y) {
                image[to_y as usize * IMAGE_SIDE + to_x as usize] = value.round() as u8;
            }
        }
    }
    image
}

/// Centre of mass (x, y) of a square image, in pixels from its top left corner; its middle when
/// the image is empty.
fn centre_of_mass(values: &[f32], side: usize) -> (f32, f32) {
    let (mut mass, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        mass += value;
        sum_x += value * ((i % side) as f32 + 0.5);
        sum_y += value * ((i / side) as f32 + 0.5);
    }
    if mass > 0.0 { (sum_x / mass, sum_y / mass) } else { (side as f32 / 2.0, side as f32 / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A drawing of `side`² with an L of ink in it, its stem `unit` wide.
    fn letter_l(side: usize, left: usize, top: usize, unit: usize) -> Vec<u8> {
        let mut pixels = vec![0; side * side];
        for y in 0..10 * unit {
            for x in 0..5 * unit {
                if x < 2 * unit || y >= 8 * unit {
                    pixels[(top + y) * side + left + x] = 255;
                }
            }
        }
        pixels
    }

    fn image(pixels: &[u8], side: usize) -> Vec<u8> {
        from_pixels(pixels, side, side).unwrap().unwrap()
    }

    #[test]
    fn an_empty_pad_has_no_image() {
        assert_eq!(from_pixels(&[0; 100], 10, 10), Ok(None));
        assert_eq!(from_pixels(&[INK_THRESHOLD; 100], 10, 10), Ok(None));
        assert_eq!(from_pixels(&[], 0, 0), Ok(None));
        assert_eq!(from_pixels(&[], 0, 7), Ok(None));
    }

    #[test]
    fn sizes_that_disagree_are_an_error() {
        for (width, height, expected) in [(10, 9, 90), (0, 4, 0), (usize::MAX, 3, usize::MAX)] {
            assert_eq!(
                from_pixels(&[0; 100], width, height),
                Err(Error::WrongLength { what: "drawing", expected, got: 100 })
            );
        }
    }

    #[test]
    fn a_square_fills_the_box_in_the_middle() {
        let mut pixels = vec![0; 64 * 50];
        for y in 3..43 {
            pixels[y * 64 + 20..y * 64 + 60].fill(200);
        }
        let image = from_pixels(&pixels, 64, 50).unwrap().unwrap();
        for y in 0..28 {
            for x in 0..28 {
                let inside = (4..24).contains(&x) && (4..24).contains(&y);
                assert_eq!(image[y * 28 + x], if inside { 200 } else { 0 }, "{x} {y}");
            }
        }
    }

    #[test]
    fn the_aspect_is_kept() {
        let mut pixels = vec![0; 100 * 100];
        for y in 10..90 {
            pixels[y * 100 + 4..y * 100 + 12].fill(255);
        }
        let image = image(&pixels, 100);
        // 8 × 80 becomes 2 × 20.
        for y in 0..28 {
            let row: Vec<u8> = image[y * 28..][..28].to_vec();
            let expected = if (4..24).contains(&y) { 255 } else { 0 };
            assert_eq!(row[13..15], [expected; 2]);
            assert_eq!(row.iter().filter(|&&v| v > 0).count(), 2 * usize::from(expected > 0));
        }
    }

    #[test]
    fn place_and_size_of_the_drawing_do_not_matter() {
        let reference = image(&letter_l(280, 0, 0, 20), 280);
        for (left, top, unit) in [(100, 80, 20), (13, 57, 10), (3, 200, 4), (181, 29, 7), (9, 9, 2)] {
            let other = image(&letter_l(280, left, top, unit), 280);
            for (i, (a, b)) in reference.iter().zip(&other).enumerate() {
                assert!(a.abs_diff(*b) <= 2, "pixel {i}: {a} and {b}, unit {unit}");
            }
        }
        // Enlarged from 10×5 pixels: soft edges, the same shape.
        let small = image(&letter_l(28, 5, 6, 1), 28);
        let difference: u32 = reference.iter().zip(&small).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        let ink: u32 = reference.iter().map(|&v| u32::from(v)).sum();
        assert!(difference * 10 < ink * 3, "{difference} of {ink}");
    }

    #[test]
    fn the_centre_of_mass_is_in_the_middle() {
        for unit in [1, 3, 8, 20] {
            let image = image(&letter_l(280, 17, 40, unit), 280);
            let values: Vec<f32> = image.iter().map(|&v| f32::from(v)).collect();
            let (x, y) = centre_of_mass(&values, 28);
            assert!((x - MIDDLE).abs() <= 0.5 + 1e-3, "x {x}");
            assert!((y - MIDDLE).abs() <= 0.5 + 1e-3, "y {y}");
        }
    }

    #[test]
    fn one_pixel_and_a_lopsided_drawing_are_cut_safely() {
        let mut dot = vec![0; 100];
        dot[99] = 255;
        assert!(image(&dot, 10)[14 * 28 + 14] > 240);

        // Nearly all ink at the right end of a long thin line.
        let mut pixels = vec![0; 400 * 400];
        pixels[200 * 400..][..400].fill(17);
        for y in 180..220 {
            pixels[y * 400 + 360..][..40].fill(255);
        }
        let image = image(&pixels, 400);
        assert_eq!(image.len(), 784);
        assert!(image.contains(&255));
    }

    #[test]
    fn faint_edges_do_not_move_the_crop() {
        let clean = letter_l(100, 20, 20, 5);
        let mut smudged = clean.clone();
        smudged[99 * 100] = INK_THRESHOLD;
        assert_eq!(image(&clean, 100), image(&smudged, 100));
    }
}
